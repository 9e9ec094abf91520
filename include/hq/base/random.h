// Random: chance comes in through this port, so that a run of the simulation is decided by its seed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace hq {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;
  // Uniform in [0, n). REQUIRES: n > 0.
  uint64_t below(uint64_t n) { return next() % n; }
  bool chance(double probability) { return double(next() >> 11) * 0x1.0p-53 < probability; }
  // `length` characters of [A-Za-z0-9].
  std::string alphanumeric(size_t length);
};

// SplitMix64: small, good enough for jitter and simulation, never for keys.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() override;

 private:
  uint64_t state_;
};

// The kernel's generator (getrandom), asked for some numbers at a time.
class SystemRandom final : public Random {
 public:
  uint64_t next() override;

 private:
  std::array<uint64_t, 32> numbers_;
  size_t left_ = 0;
};

}  // namespace hq
