#include "protocol/wire_writer.h"

#include <utility>

#include "hq/base/assert.h"

namespace hq {

namespace {

// Bytes that a UTF-8 sequence starting with `lead` has, 0 when none starts so.
size_t sequence_length(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// Overlong forms, surrogates and values beyond U+10FFFF show in the second byte.
bool second_byte_fits(uint8_t lead, uint8_t second) {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second <= 0x9f;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second <= 0x8f;
    default:
      return true;
  }
}

}  // namespace

bool is_utf8(BytesView text) {
  size_t i = 0;
  while (i < text.size()) {
    uint64_t eight;
    if (i + 8 <= text.size()) {
      std::memcpy(&eight, text.data() + i, 8);
      if ((eight & 0x8080'8080'8080'8080) == 0) {
        i += 8;
        continue;
      }
    }
    const auto lead = uint8_t(text[i]);
    const size_t n = sequence_length(lead);
    if (n == 0 || n > text.size() - i) return false;
    for (size_t k = 1; k < n; ++k) {
      if ((uint8_t(text[i + k]) & 0xc0) != 0x80) return false;
    }
    if (n > 1 && !second_byte_fits(lead, uint8_t(text[i + 1]))) return false;
    i += n;
  }
  return true;
}

void WireWriter::container(uint8_t fix, uint8_t wide, size_t count) {
  HQ_ASSERT(count <= UINT32_MAX);
  if (count < 16) {
    byte(uint8_t(fix | count));
  } else if (count <= 0xffff) {
    head(wide, count, 2);
  } else {
    head(uint8_t(wide + 1), count, 4);
  }
}

void WireWriter::long_str(BytesView v) {
  HQ_ASSERT(v.size() <= UINT32_MAX);
  if (v.size() < 32) {
    byte(uint8_t(0xa0 | v.size()));
  } else if (v.size() <= 0xff) {
    head(0xd9, v.size(), 1);
  } else if (v.size() <= 0xffff) {
    head(0xda, v.size(), 2);
  } else {
    head(0xdb, v.size(), 4);
  }
  append(v);
}

void WireWriter::bin(BytesView v) {
  HQ_ASSERT(v.size() <= UINT32_MAX);
  if (v.size() <= 0xff) {
    head(0xc4, v.size(), 1);
  } else if (v.size() <= 0xffff) {
    head(0xc5, v.size(), 2);
  } else {
    head(0xc6, v.size(), 4);
  }
  append(v);
}

void WireWriter::text(BytesView v) {
  if (is_utf8(v)) {
    str(v);
  } else {
    bin(v);
  }
}

void WireWriter::append(BytesView v) {
  if (v.size() > sizeof stage_ - staged_) flush();
  if (v.size() > sizeof stage_) {
    out_.append(v);
    return;
  }
  if (v.empty()) return;  // may have no address
  std::memcpy(stage_ + staged_, v.data(), v.size());
  staged_ += v.size();
}

void WireWriter::flush() {
  out_.append(stage_, staged_);
  staged_ = 0;
}

Bytes WireWriter::take() {
  flush();
  return std::exchange(out_, Bytes());
}

}  // namespace hq
