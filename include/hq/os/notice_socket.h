// The socket behind LocalNotices, and the side of who speaks.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "hq/base/result.h"
#include "hq/os/local_notices.h"

namespace hq {

class LocalNoticeSocket : public LocalNotices {
 public:
  // Readable when take_in() has something to do.
  [[nodiscard]] virtual int event_fd() const = 0;
  [[nodiscard]] virtual const std::string& path() const = 0;
};

// A new socket of mode 0600 in `directory`, or in /tmp when the path would be too long for one. It is removed
// with the object.
[[nodiscard]] Result<std::unique_ptr<LocalNoticeSocket>> open_local_notices(const std::string& directory);

// The other side: says `text` and waits until it is confirmed. Errors are what the user sees.
[[nodiscard]] Result<void> say_notice(const std::string& path, std::string_view token, std::string_view text);

}  // namespace hq
