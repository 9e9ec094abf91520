// What tasks say to the worker on their machine (`hq task notify`; docs/protocol.md, Notices of tasks): a
// local socket that only its owner can use, one short message per connection. Whoever speaks waits for the
// confirmation, so that what is not taken yet waits there and not here.
//
// What always holds: nothing here waits, and what is held is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "hq/base/strong_id.h"

namespace hq {

inline constexpr size_t kMostNoticeBytes = 1024;
inline constexpr const char* kAccessKeyVariable = "HQ_ACCESS_KEY";

// Names one message that waits for its confirmation; never reused.
using LocalNoticeId = Id<struct LocalNoticeTag, uint64_t>;

struct LocalNotice {
  LocalNoticeId id;
  std::string token;  // as it was said; says who speaks
  std::string text;
};

// Port.
class LocalNotices {
 public:
  virtual ~LocalNotices() = default;
  // Takes in what is ready; to be called whenever there is something.
  virtual void take_in() = 0;
  // The next message, in their order. It has to be answered by confirm() or refuse().
  virtual std::optional<LocalNotice> next() = 0;
  virtual void confirm(LocalNoticeId id) = 0;
  // Its sender sees the end of the connection, without a word.
  virtual void refuse(LocalNoticeId id) = 0;
};

}  // namespace hq
