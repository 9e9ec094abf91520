// Measurements that the test gives.
#pragma once

#include <optional>
#include <utility>

#include "hq/os/hardware_meter.h"

namespace hq::test {

class FakeMeter : public HardwareMeter {
 public:
  void ask() override { ++asked; }
  std::optional<HardwareOverview> take() override { return std::exchange(measured, std::nullopt); }

  int asked = 0;
  std::optional<HardwareOverview> measured;
};

}  // namespace hq::test
