// Reading below HardwareSource::root, for the files of this layer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/base/result.h"
#include "hq/os/hardware.h"

namespace hq {

// A whole small file. Error "cannot read 'PATH'" with the reason as cause. More than 4 MiB is an error.
[[nodiscard]] Result<std::string> read_text(const std::string& path);

// Names in a directory, sorted, without "." and ".."; absent when it can't be read.
[[nodiscard]] std::optional<std::vector<std::string>> list_directory(const std::string& path);

// The directories of our cgroup for `controller` ("cpuset", "memory"), innermost first, ending at the mount
// point. Of the v1 hierarchy if that controller is mounted there, else of v2; empty when there are no
// cgroups.
struct CgroupDirs {
  bool v2 = false;
  std::vector<std::string> dirs;
};
[[nodiscard]] CgroupDirs find_cgroup(const std::string& root, std::string_view controller);

// Pure part of find_cgroup: the texts of /proc/self/cgroup and /proc/self/mountinfo.
[[nodiscard]] CgroupDirs parse_cgroup(std::string_view cgroup, std::string_view mountinfo,
                                      std::string_view controller);

}  // namespace hq
