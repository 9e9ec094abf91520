// How busy a machine is, at one moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hq {

struct MemoryUsage {  // bytes
  uint64_t total = 0;
  uint64_t free = 0;
  friend bool operator==(const MemoryUsage&, const MemoryUsage&) = default;
};

struct NetworkUsage {  // since boot, all interfaces but the loopback
  uint64_t rx_bytes = 0;
  uint64_t tx_bytes = 0;
  uint64_t rx_packets = 0;
  uint64_t tx_packets = 0;
  uint64_t rx_errors = 0;
  uint64_t tx_errors = 0;
  friend bool operator==(const NetworkUsage&, const NetworkUsage&) = default;
};

struct GpuUsage {
  std::string id;  // address on the PCI bus
  double processor_percent = 0;
  double memory_percent = 0;
  friend bool operator==(const GpuUsage&, const GpuUsage&) = default;
};

struct HardwareOverview {
  std::vector<double> cpu_percent;  // per cpu that is online, in the kernel's order
  MemoryUsage memory;
  NetworkUsage network;
  std::optional<std::vector<GpuUsage>> nvidia;  // absent when not asked for, or not answered
  std::optional<std::vector<GpuUsage>> amd;
  friend bool operator==(const HardwareOverview&, const HardwareOverview&) = default;
};

}  // namespace hq
