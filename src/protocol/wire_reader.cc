#include "protocol/wire_reader.h"

namespace hq {

namespace {

constexpr std::string_view kCountTooLarge = "the count is larger than the rest of the message";

}  // namespace

void WireReader::fail(const char* field, std::string_view problem) {
  if (!ok()) return;
  field_ = field;
  problem_ = problem;
  at_ = end_;
}

Error WireReader::error(std::string_view message) const {
  HQ_ASSERT(!ok());
  std::string text(message);
  if (*field_ != 0) text.append(".").append(field_);
  return Error(text.append(": ").append(problem_));
}

// Any unsigned integer, near the end of the bytes too.
uint64_t WireReader::wide_uint(const char* field) {
  if (!need(field, 1)) return 0;
  const auto head = uint8_t(*at_);
  if (head < 0x80) {
    ++at_;
    return head;
  }
  if (head < 0xcc || head > 0xcf) {
    fail(field, "expected an unsigned integer");
    return 0;
  }
  const size_t width = size_t{1} << (head - 0xcc);
  if (!need(field, 1 + width)) return 0;
  ++at_;
  return big(width);
}

int64_t WireReader::sint(const char* field, int64_t min, int64_t max) {
  if (!need(field, 1)) return 0;
  const auto head = uint8_t(*at_);
  int64_t v;
  if (head >= 0xe0) {
    ++at_;
    v = int8_t(head);
  } else if (head >= 0xd0 && head <= 0xd3) {
    const size_t width = size_t{1} << (head - 0xd0);
    if (!need(field, 1 + width)) return 0;
    ++at_;
    const unsigned unused = unsigned(64 - 8 * width);
    v = int64_t(big(width) << unused) >> unused;
  } else {
    v = int64_t(uint(field, INT64_MAX));
  }
  if (v >= min && v <= max) return v;
  fail(field, "the integer is out of range");
  return 0;
}

bool WireReader::boolean(const char* field) {
  if (!need(field, 1)) return false;
  const auto head = uint8_t(*at_);
  if (head != 0xc2 && head != 0xc3) {
    fail(field, "expected true or false");
    return false;
  }
  ++at_;
  return head == 0xc3;
}

bool WireReader::take_nil() {
  if (at_ == end_ || uint8_t(*at_) != 0xc0) return false;
  ++at_;
  return true;
}

BytesView WireReader::text(const char* field) {
  if (!need(field, 1)) return {};
  const auto head = uint8_t(*at_);
  size_t width = 0;
  uint64_t n = head & 0x1f;
  if (head >= 0xc4 && head <= 0xc6) {
    width = size_t{1} << (head - 0xc4);
  } else if (head >= 0xd9 && head <= 0xdb) {
    width = size_t{1} << (head - 0xd9);
  } else if (head < 0xa0 || head > 0xbf) {
    fail(field, "expected a string");
    return {};
  }
  if (!need(field, 1 + width)) return {};
  ++at_;
  if (width > 0) n = big(width);
  if (!need(field, n)) return {};
  const BytesView out(at_, n);
  at_ += n;
  return out;
}

uint32_t WireReader::count(const char* field, uint64_t n) {
  if (n <= left()) return uint32_t(n);
  fail(field, kCountTooLarge);
  return 0;
}

uint32_t WireReader::array(const char* field) {
  if (!need(field, 1)) return 0;
  const auto head = uint8_t(*at_);
  if (head >= 0x90 && head <= 0x9f) {
    ++at_;
    return count(field, head & 0x0f);
  }
  if (head != 0xdc && head != 0xdd) {
    fail(field, "expected a list");
    return 0;
  }
  const size_t width = head == 0xdc ? 2 : 4;
  if (!need(field, 1 + width)) return 0;
  ++at_;
  return count(field, big(width));
}

uint32_t WireReader::map(const char* field) {
  if (!need(field, 1)) return 0;
  const auto head = uint8_t(*at_);
  uint64_t n = head & 0x0f;
  if (head >= 0x80 && head <= 0x8f) {
    ++at_;
  } else if (head == 0xde || head == 0xdf) {
    const size_t width = head == 0xde ? 2 : 4;
    if (!need(field, 1 + width)) return 0;
    ++at_;
    n = big(width);
  } else {
    fail(field, "expected a map");
    return 0;
  }
  if (2 * n <= left()) return uint32_t(n);
  fail(field, kCountTooLarge);
  return 0;
}

void WireReader::skip_bytes(const char* field, uint64_t n) {
  if (need(field, n)) at_ += n;
}

// The heads 0xc0..0xdf: at_ is just behind them.
WireReader::Skipped WireReader::skip_long(const char* field, uint8_t head) {
  // Bytes of the number that follows the head, and what is added to it.
  static constexpr uint8_t kLengthWidth[32] = {0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0,
                                               0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4};
  static constexpr uint8_t kFixedBytes[32] = {0, 0, 0, 0, 0, 0, 0, 1, 1,  1, 4, 8, 1, 2, 4, 8,
                                              1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0};
  if (head == 0xc1) {
    fail(field, "not a msgpack value");
    return {};
  }
  const size_t width = kLengthWidth[head - 0xc0];
  uint64_t n = 0;
  if (width > 0) {
    if (!need(field, width)) return {};
    n = big(width);
  }
  if (head >= 0xdc) return {head >= 0xde ? 2 * n : n};
  skip_bytes(field, n + kFixedBytes[head - 0xc0]);
  return {};
}

WireReader::Skipped WireReader::skip_head(const char* field) {
  if (!need(field, 1)) return {};
  const auto head = uint8_t(*at_++);
  if (head < 0x80 || head >= 0xe0) return {};
  if (head < 0x90) return {2 * uint64_t(head & 0x0f)};
  if (head < 0xa0) return {uint64_t(head & 0x0f)};
  if (head >= 0xc0) return skip_long(field, head);
  skip_bytes(field, head & 0x1f);
  return {};
}

BytesView WireReader::value(const char* field) {
  const char* const begin = at_;
  uint64_t open[kMaxDepth + 1];  // values still to come at each level
  int depth = 0;
  open[0] = 1;
  while (depth >= 0 && ok()) {
    if (open[depth] == 0) {
      --depth;
      continue;
    }
    --open[depth];
    ++skipped_;
    const uint64_t children = skip_head(field).children;
    if (children == 0) continue;
    if (children > left()) {
      fail(field, kCountTooLarge);
    } else if (depth == kMaxDepth) {
      fail(field, "nested too deeply");
    } else {
      open[++depth] = children;
    }
  }
  if (!ok()) return {};
  return BytesView(begin, size_t(at_ - begin));
}

Result<void> check_structure(BytesView bytes, uint64_t max_values) {
  WireReader reader(bytes);
  if (reader.value("").empty()) return reader.error("message");
  if (reader.left() > 0) return Error("message: bytes follow its end");
  if (reader.values_skipped() > max_values) return Error("message: too many values");
  return {};
}

}  // namespace hq
