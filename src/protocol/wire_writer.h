// Writes msgpack. Small values go through a buffer inside the writer, so that a column of integers costs a
// few nanoseconds each; long strings are appended once, without being zeroed first.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "hq/base/bytes.h"

namespace hq {

class WireWriter {
 public:
  // `expected` bytes are reserved; more may come.
  explicit WireWriter(size_t expected = 0) { out_.reserve(expected); }

  void nil() { byte(0xc0); }
  void boolean(bool v) { byte(v ? 0xc3 : 0xc2); }
  void uint(uint64_t v) {
    if (v < 0x80) {
      byte(uint8_t(v));
    } else if (v <= 0xff) {
      head(0xcc, v, 1);
    } else if (v <= 0xffff) {
      head(0xcd, v, 2);
    } else if (v <= 0xffff'ffff) {
      head(0xce, v, 4);
    } else {
      head(0xcf, v, 8);
    }
  }
  void sint(int64_t v) {
    if (v >= 0) return uint(uint64_t(v));
    if (v >= -32) {
      byte(uint8_t(v));
    } else if (v >= INT8_MIN) {
      head(0xd0, uint64_t(v), 1);
    } else if (v >= INT16_MIN) {
      head(0xd1, uint64_t(v), 2);
    } else if (v >= INT32_MIN) {
      head(0xd2, uint64_t(v), 4);
    } else {
      head(0xd3, uint64_t(v), 8);
    }
  }
  void f32(float v) { head(0xca, std::bit_cast<uint32_t>(v), 4); }
  void f64(double v) { head(0xcb, std::bit_cast<uint64_t>(v), 8); }
  void array(size_t count) { container(0x90, 0xdc, count); }
  void map(size_t count) { container(0x80, 0xde, count); }
  // REQUIRES: `v` is UTF-8.
  void str(BytesView v) {
    if (v.size() >= 32 || staged_ + 32 > sizeof stage_) return long_str(v);
    stage_[staged_++] = char(0xa0 | v.size());
    if (v.empty()) return;  // may have no address
    std::memcpy(stage_ + staged_, v.data(), v.size());
    staged_ += v.size();
  }
  void bin(BytesView v);
  // A name or path of the outside world: str when it is UTF-8 (what readers expect of a str), else bin.
  void text(BytesView v);
  // Bytes that are msgpack already.
  void raw(BytesView v) { append(v); }

  [[nodiscard]] Bytes take();

 private:
  void byte(uint8_t b) {
    if (staged_ == sizeof stage_) flush();
    stage_[staged_++] = char(b);
  }
  // `first`, then the low `width` bytes of v, most significant first.
  void head(uint8_t first, uint64_t v, size_t width) {
    if (staged_ + 9 > sizeof stage_) flush();
    stage_[staged_++] = char(first);
    const uint64_t big = __builtin_bswap64(v << (64 - 8 * width));
    std::memcpy(stage_ + staged_, &big, 8);
    staged_ += width;
  }
  void long_str(BytesView v);
  void container(uint8_t fix, uint8_t wide, size_t count);
  void append(BytesView v);
  void flush();

  Bytes out_;
  size_t staged_ = 0;
  char stage_[1024];
};

static_assert(std::endian::native == std::endian::little, "the byte order of head() and of u32 columns");

[[nodiscard]] bool is_utf8(BytesView text);

}  // namespace hq
