// Integers of as many bytes as they need (7 bits each, lowest first), and a reader that never leaves its
// bytes. Signed ones are folded so that small magnitudes stay small.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "hq/base/bytes.h"

namespace hq {

inline constexpr uint64_t fold_sign(int64_t v) {
  return (uint64_t(v) << 1) ^ uint64_t(v >> 63);
}
inline constexpr int64_t unfold_sign(uint64_t v) {
  return int64_t(v >> 1) ^ -int64_t(v & 1);
}

inline constexpr size_t varint_size(uint64_t v) {
  return (size_t(std::bit_width(v | 1)) + 6) / 7;
}

inline void put_varint(Bytes& out, uint64_t v) {
  while (v >= 0x80) {
    out.push_back(char(v | 0x80));
    v >>= 7;
  }
  out.push_back(char(v));
}

// The first failure sticks: from then on all values are 0 or empty.
class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] size_t left() const { return size_t(end_ - at_); }
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  uint64_t varint() {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const auto b = uint8_t(*at_++);
      if (shift == 63 && b > 1) break;
      v |= uint64_t{b & 0x7fU} << shift;
      if (b < 0x80) return v;
    }
    fail();
    return 0;
  }
  BytesView bytes(uint64_t n) {
    if (n > left()) {
      fail();
      return {};
    }
    const BytesView out(at_, n);
    at_ += n;
    return out;
  }

 private:
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace hq
