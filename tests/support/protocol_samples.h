// One message of each kind with no field left at its default: for golden bytes, fuzzing and fakes.
#pragma once

#include <string>
#include <vector>

#include "hq/protocol/client_messages.h"
#include "hq/protocol/worker_messages.h"

namespace hq::samples {

template <class Message>
struct Sample {
  std::string name;
  Message message;
};

[[nodiscard]] std::vector<Sample<msg::ClientRequest>> requests();
[[nodiscard]] std::vector<Sample<msg::ClientReply>> replies();
[[nodiscard]] std::vector<Sample<msg::FromWorker>> from_worker();
[[nodiscard]] std::vector<Sample<msg::ToWorker>> to_worker();

// All of them as frames, in one fixed order; names are "request/submit", "to_worker/define", ...
struct Frame {
  std::string name;
  std::string bytes;
};
[[nodiscard]] std::vector<Frame> frames();

[[nodiscard]] TaskDescription task();
[[nodiscard]] msg::Report report(size_t tasks);
[[nodiscard]] std::vector<msg::TaskRow> task_rows(uint32_t first, uint32_t count);

}  // namespace hq::samples
