#include "hq/base/result.h"

#include <cstring>

namespace hq {

std::string Error::full_text() const {
  std::string out = message;
  if (causes.empty()) return out;
  out += "\n\nCaused by:";
  for (size_t i = 0; i < causes.size(); ++i) {
    out += "\n    ";
    if (causes.size() > 1) out += std::to_string(i) + ": ";
    for (char c : causes[i]) {
      out += c;
      if (c == '\n') out += "    ";
    }
  }
  return out;
}

std::string os_error_text(int errnum) {
  char buffer[256];
  return std::string(strerror_r(errnum, buffer, sizeof buffer)) + " (os error " + std::to_string(errnum) +
         ")";
}

Error os_error(int errnum) {
  return Error(os_error_text(errnum));
}

}  // namespace hq
