#include "hq/base/random.h"

#include <sys/random.h>

#include <utility>

#include "hq/base/assert.h"

namespace hq {

std::string Random::alphanumeric(size_t length) {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string out;
  for (size_t i = 0; i < length; ++i) out += kLetters[below(62)];
  return out;
}

uint64_t SeededRandom::next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t SystemRandom::next() {
  if (left_ == 0) {
    // As little as this is never cut short by a signal.
    HQ_ASSERT(getrandom(numbers_.data(), sizeof numbers_, 0) == ssize_t(sizeof numbers_));
    left_ = numbers_.size();
  }
  return std::exchange(numbers_[--left_], 0);  // not to be found here once it is a secret
}

}  // namespace hq
