// Names to addresses. The system's resolver may take many seconds, so it runs in a thread of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/result.h"
#include "hq/base/unique_fd.h"
#include "transport/endpoint.h"

namespace hq {

// All addresses of one numeric host; nothing if `host` is a name.
[[nodiscard]] std::vector<Endpoint> numeric_endpoints(const std::string& host, uint16_t port);

class Lookup {
 public:
  using Found = Result<std::vector<Endpoint>>;
  static Result<Lookup> start(const std::string& host, uint16_t port);
  // Readable when take() has something.
  [[nodiscard]] int fd() const;
  // Once, when the answer is there. A failure reads "failed to lookup address information: ...".
  std::optional<Found> take();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // with the thread, which may outlive us
};

}  // namespace hq
