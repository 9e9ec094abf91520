// Limits of the conversation (docs/protocol.md, Limits). A peer that goes beyond one is refused, never served
// half.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hq/base/clock.h"

namespace hq::limits {

inline constexpr size_t kMaxWorkerFrame = size_t{16} << 20;
// A submit with its entries is one frame: a million lines of 200 bytes must fit.
inline constexpr size_t kMaxClientFrame = size_t{1} << 30;
inline constexpr size_t kMaxReplyFrame = size_t{8} << 20;  // larger answers are paged
// Answers that a client has not taken: few, since each may be a page.
inline constexpr int kClientSendQueue = 64;
inline constexpr uint32_t kTasksPerPage = 4096;
// Of texts (failures of tasks, descriptions of a graph's tasks) in one page, about.
inline constexpr size_t kTextBytesPerPage = size_t{1} << 20;
inline constexpr uint32_t kMaxBacklog = 1024;     // tasks a worker holds beyond what runs
inline constexpr uint32_t kReportTasks = 64;      // a report leaves at this many ends ...
inline constexpr Duration kReportDelay = 2ms;     // ... or this age of the oldest
inline constexpr size_t kInventoryPage = 20'000;  // entries per hello page
inline constexpr uint32_t kMaxRows = 65'536;  // of one table: a report's ends, an inventory page, task rows
inline constexpr uint64_t kMaxValues = uint64_t{64} << 20;  // msgpack values in one client frame
inline constexpr int kMaxSteppedRanges = 1024;              // in one list of ids
inline constexpr uint32_t kMaxVariants = 32;
// Output on its way to the server, bytes: of all workers, and of one.
inline constexpr uint64_t kOutputPool = uint64_t{8} << 20;
inline constexpr uint64_t kMostOutputWindow = uint64_t{256} << 10;
inline constexpr uint64_t kLeastOutputWindow = uint64_t{4} << 10;
inline constexpr size_t kMaxNotice = 1024;        // bytes that a task says at a time
inline constexpr size_t kNoticesUnderWay = 16;    // of one worker, not acknowledged
inline constexpr size_t kMaxCancelReason = 200;   // bytes
inline constexpr Duration kMinHeartbeat = 151ms;  // the original's server dies of less; refused here

}  // namespace hq::limits
