// Reads msgpack out of somebody else's bytes. Every count is checked against the bytes that are left (an
// element takes at least one), nesting is capped, nothing is allocated. The first failure sticks: from then
// on all values are 0 or empty, so that a decoder may read a whole message and look once. Loops over a count
// must end when ok() no longer holds.
//
// `field` names what is read, for the error text; it must outlive the reader.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "hq/base/bytes.h"
#include "hq/base/result.h"

namespace hq {

class WireReader {
 public:
  static constexpr int kMaxDepth = 32;

  explicit WireReader(BytesView bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  [[nodiscard]] bool ok() const { return problem_.empty(); }
  [[nodiscard]] size_t left() const { return size_t(end_ - at_); }
  [[nodiscard]] uint64_t uint(const char* field, uint64_t max);
  [[nodiscard]] uint32_t uint32(const char* field) { return uint32_t(uint(field, UINT32_MAX)); }
  [[nodiscard]] int64_t sint(const char* field, int64_t min, int64_t max);
  [[nodiscard]] bool boolean(const char* field);
  // Str or bin; points into the bytes.
  [[nodiscard]] BytesView text(const char* field);
  // Consumes a nil if there is one.
  [[nodiscard]] bool take_nil();
  [[nodiscard]] uint32_t array(const char* field);
  [[nodiscard]] uint32_t map(const char* field);
  // One whole value, whatever it is; its bytes.
  [[nodiscard]] BytesView value(const char* field);
  // Values inside those skipped by value() so far, itself included.
  [[nodiscard]] uint64_t values_skipped() const { return skipped_; }
  void fail(const char* field, std::string_view problem);  // `problem` must outlive the reader, too
  // "<message>.<field>: <problem>". REQUIRES: not ok.
  [[nodiscard]] Error error(std::string_view message) const;

 private:
  struct Skipped {
    uint64_t children = 0;
  };
  // Big-endian integer of `width` bytes. REQUIRES: they are there.
  uint64_t big(size_t width) {
    uint64_t v = 0;
    if (left() >= 8) {
      std::memcpy(&v, at_, 8);  // of a fixed size: one load; what is too much is shifted out
    } else {
      std::memcpy(&v, at_, width);
    }
    at_ += width;
    return __builtin_bswap64(v) >> (64 - 8 * width);
  }
  bool need(const char* field, size_t n) {
    if (left() >= n) return true;
    fail(field, "the message ends too early");
    return false;
  }
  uint64_t wide_uint(const char* field);
  uint32_t count(const char* field, uint64_t n);
  Skipped skip_head(const char* field);
  Skipped skip_long(const char* field, uint8_t head);
  void skip_bytes(const char* field, uint64_t n);

  const char* at_;
  const char* end_;
  const char* field_ = "";
  std::string_view problem_;
  uint64_t skipped_ = 0;
};

inline uint64_t WireReader::uint(const char* field, uint64_t max) {
  uint64_t v = 0;
  if (left() >= 9) {  // room for the widest: no further looks at the end
    const auto head = uint8_t(*at_);
    if (head < 0x80) {
      ++at_;
      v = head;
    } else if ((head & 0xfc) == 0xcc) {
      ++at_;
      v = big(size_t{1} << (head & 3));
    } else {
      v = wide_uint(field);
    }
  } else {
    v = wide_uint(field);
  }
  if (v <= max) return v;
  fail(field, "the integer is too large");
  return 0;
}

// True if `bytes` are exactly one well-formed msgpack value of bounded depth and at most `max_values` values
// in all; else why not.
[[nodiscard]] Result<void> check_structure(BytesView bytes, uint64_t max_values);

}  // namespace hq
