#include "os/hardware_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "hq/base/small_files.h"
#include "hq/base/text_parts.h"
#include "hq/base/unique_fd.h"

namespace hq {
namespace {

constexpr size_t kMostText = size_t{4} << 20;

struct CgroupMount {
  std::string_view root;  // which directory of the hierarchy is mounted
  std::string_view point;
  bool v2 = false;
};

// A line of mountinfo: "31 23 0:28 ROOT POINT OPTIONS [optional...] - TYPE SOURCE SUPER-OPTIONS".
std::optional<CgroupMount> cgroup_mount(std::string_view line, std::string_view controller) {
  const std::vector<std::string_view> fields = words(line);
  const auto dash = std::find(fields.begin(), fields.end(), "-");
  if (fields.size() < 6 || fields.end() - dash < 4) return std::nullopt;
  const std::string_view type = dash[1];
  if (type == "cgroup2") return CgroupMount{fields[3], fields[4], true};
  if (type != "cgroup") return std::nullopt;
  const std::vector<std::string_view> options = split(dash[3], ',');
  if (std::find(options.begin(), options.end(), controller) == options.end()) return std::nullopt;
  return CgroupMount{fields[3], fields[4], false};
}

// A line of /proc/self/cgroup: "4:memory:/path", in v2 "0::/path".
std::optional<std::string_view> cgroup_path(std::string_view text, std::string_view controller, bool v2) {
  for (const std::string_view line : split(text, '\n')) {
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (v2 && controllers.empty()) return path;
    const std::vector<std::string_view> names = split(controllers, ',');
    if (!v2 && std::find(names.begin(), names.end(), controller) != names.end()) return path;
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> read_text(const std::string& path) {
  auto text = read_text(path, kMostText);
  if (!text) return std::move(text.error()).with_context(fmt::format("cannot read '{}'", path));
  return text;
}

std::optional<std::vector<std::string>> list_directory(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (!dir) return std::nullopt;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

CgroupDirs parse_cgroup(std::string_view cgroup, std::string_view mountinfo, std::string_view controller) {
  std::optional<CgroupMount> mount;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto found = cgroup_mount(line, controller);
    if (found && (!mount || (mount->v2 && !found->v2))) mount = found;
  }
  if (!mount) return {};
  CgroupDirs result;
  result.v2 = mount->v2;
  const std::string point(mount->point);
  std::string_view path = cgroup_path(cgroup, controller, mount->v2).value_or("/");
  // In a container the mount may show only a part of the hierarchy; a path outside of it is out of reach.
  if (mount->root != "/") {
    if (path.starts_with(mount->root)) {
      path.remove_prefix(mount->root.size());
    } else {
      path = "/";
    }
  }
  if (path.find("/..") != std::string_view::npos) path = "/";
  while (path.size() > 1) {
    result.dirs.push_back(point + std::string(path));
    path = path.substr(0, path.rfind('/'));
  }
  result.dirs.push_back(point);
  return result;
}

CgroupDirs find_cgroup(const std::string& root, std::string_view controller) {
  const Result<std::string> cgroup = read_text(root + "/proc/self/cgroup");
  const Result<std::string> mounts = read_text(root + "/proc/self/mountinfo");
  if (!cgroup || !mounts) return {};
  CgroupDirs found = parse_cgroup(*cgroup, *mounts, controller);
  for (std::string& dir : found.dirs) dir.insert(0, root);
  return found;
}

}  // namespace hq
