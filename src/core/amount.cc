#include "hq/core/amount.h"

namespace hq {

std::string Amount::text() const {
  std::string out = std::to_string(whole());
  if (fraction() != 0) {
    std::string digits = std::to_string(kScale + fraction()).substr(1);
    while (digits.back() == '0') digits.pop_back();
    out += "." + digits;
  }
  return out;
}

}  // namespace hq
