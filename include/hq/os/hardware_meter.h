// Port to how busy this machine is. A measurement takes time (tools of GPUs are run), so it is asked for and
// comes later.
#pragma once

#include <optional>

#include "hq/core/hardware_overview.h"

namespace hq {

class HardwareMeter {
 public:
  virtual ~HardwareMeter() = default;
  // Nothing comes of it while an earlier measurement is under way.
  virtual void ask() = 0;
  // The newest measurement, once.
  virtual std::optional<HardwareOverview> take() = 0;
};

}  // namespace hq
