#include "journal/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

namespace hq {

namespace {

static_assert(std::endian::native == std::endian::little, "eight bytes are taken at a time");

constexpr uint32_t kPolynomial = 0x82f6'3b78;  // reflected

// kTables[k][b]: the effect of byte b that k more bytes follow.
using Tables = std::array<std::array<uint32_t, 256>, 8>;
constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ kPolynomial : crc >> 1;
    tables[0][b] = crc;
  }
  for (uint32_t b = 0; b < 256; ++b) {
    for (size_t k = 1; k < 8; ++k) tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
  }
  return tables;
}
constexpr Tables kTables = make_tables();

uint64_t load(const char* at) {
  uint64_t v = 0;
  std::memcpy(&v, at, sizeof v);
  return v;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t by_instruction(BytesView bytes, uint32_t crc) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  uint64_t state = ~crc;
  for (; end - at >= 8; at += 8) state = _mm_crc32_u64(state, load(at));
  for (; at != end; ++at) state = _mm_crc32_u8(uint32_t(state), uint8_t(*at));
  return ~uint32_t(state);
}
bool has_instruction() {
  return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) uint32_t by_instruction(BytesView bytes, uint32_t crc) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  uint32_t state = ~crc;
  for (; end - at >= 8; at += 8) state = __crc32cd(state, load(at));
  for (; at != end; ++at) state = __crc32cb(state, uint8_t(*at));
  return ~state;
}
bool has_instruction() {
  constexpr unsigned long kCrc32 = 1UL << 7;  // HWCAP_CRC32
  return (getauxval(AT_HWCAP) & kCrc32) != 0;
}
#else
uint32_t by_instruction(BytesView bytes, uint32_t crc) {
  return crc32c_by_table(bytes, crc);
}
bool has_instruction() {
  return false;
}
#endif

}  // namespace

uint32_t crc32c_by_table(BytesView bytes, uint32_t crc) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  crc = ~crc;
  for (; end - at >= 8; at += 8) {
    const uint64_t v = load(at) ^ crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][v >> (8 * k) & 0xff];
  }
  for (; at != end; ++at) crc = crc >> 8 ^ kTables[0][(crc ^ uint8_t(*at)) & 0xff];
  return ~crc;
}

uint32_t crc32c(BytesView bytes, uint32_t crc) {
  static const bool instruction = has_instruction();
  return instruction ? by_instruction(bytes, crc) : crc32c_by_table(bytes, crc);
}

}  // namespace hq
