// The real batch systems: commands run in threads of their own.
#pragma once

#include <memory>

#include "hq/base/result.h"
#include "hq/batch/batch_system.h"

namespace hq {

class BatchThreads : public BatchSystem {
 public:
  // Readable when next_answer() has something.
  [[nodiscard]] virtual int event_fd() const = 0;
};
// Threads are begun when they are needed.
[[nodiscard]] Result<std::unique_ptr<BatchThreads>> make_batch_threads();

// As the threads do it.
[[nodiscard]] BatchAnswer answer_batch_request(BatchId id, const BatchRequest& request);

}  // namespace hq
