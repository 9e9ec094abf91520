// The real HardwareMeter: measures in a thread of its own.
#pragma once

#include <memory>

#include "hq/base/result.h"
#include "hq/os/hardware_meter.h"
#include "hq/os/hardware_overview.h"

namespace hq {

class MeterThread : public HardwareMeter {
 public:
  // Readable when take() has something.
  [[nodiscard]] virtual int event_fd() const = 0;
};

// The thread begins with the first ask(); what can not be measured is absent.
[[nodiscard]] Result<std::unique_ptr<MeterThread>> make_meter_thread(HardwareMonitor::Families families);

}  // namespace hq
