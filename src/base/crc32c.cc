#include "hq/base/crc32c.h"

#include <array>
#include <cstring>

namespace hq {

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reversed

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables t{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    t[0][i] = crc;
  }
  for (size_t slice = 1; slice < 8; ++slice) {
    for (size_t i = 0; i < 256; ++i) t[slice][i] = (t[slice - 1][i] >> 8) ^ t[0][t[slice - 1][i] & 0xff];
  }
  return t;
}

constexpr Tables kTables = make_tables();

uint64_t load64(const char* p) {
  uint64_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return value;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t by_instruction(BytesView bytes, uint32_t before) {
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint64_t crc = ~before;
  for (; left >= 8; left -= 8, p += 8) crc = __builtin_ia32_crc32di(crc, load64(p));
  auto small = uint32_t(crc);
  for (; left > 0; --left, ++p) small = __builtin_ia32_crc32qi(small, static_cast<unsigned char>(*p));
  return ~small;
}
#endif

}  // namespace

uint32_t crc32c_by_tables(BytesView bytes, uint32_t before) {
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint32_t crc = ~before;
  for (; left >= 8; left -= 8, p += 8) {
    const uint64_t next = load64(p) ^ crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) crc ^= kTables[7 - i][(next >> (8 * i)) & 0xff];
  }
  for (; left > 0; --left, ++p) crc = (crc >> 8) ^ kTables[0][(crc ^ uint8_t(*p)) & 0xff];
  return ~crc;
}

uint32_t crc32c(BytesView bytes, uint32_t before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return by_instruction(bytes, before);
#endif
  return crc32c_by_tables(bytes, before);
}

}  // namespace hq
