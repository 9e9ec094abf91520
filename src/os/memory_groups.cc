#include "os/memory_groups.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hq/base/small_files.h"
#include "hq/base/text_parts.h"
#include "hq/os/launcher.h"
#include "os/hardware_files.h"

namespace hq {

namespace {

constexpr size_t kMostText = 64 * 1024;
constexpr size_t kMostKept = 256;
constexpr std::string_view kController = "memory";

Result<void> put(const std::string& path, std::string_view text) {
  return write_text(path, text, 0600);
}

// The system administrator may write everywhere, so that says nothing: systemd marks what it hands over.
bool is_handed_over(const std::string& dir) {
  if (::access((dir + "/cgroup.procs").c_str(), W_OK) != 0 ||
      ::access((dir + "/cgroup.subtree_control").c_str(), W_OK) != 0 || ::access(dir.c_str(), W_OK) != 0) {
    return false;
  }
  if (::geteuid() != 0) return true;
  char value[8];
  return ::getxattr(dir.c_str(), "trusted.delegate", value, sizeof value) > 0 ||
         ::getxattr(dir.c_str(), "user.delegate", value, sizeof value) > 0;
}

bool has_memory_controller(const std::string& dir) {
  const auto text = read_text(dir + "/cgroup.controllers", kMostText);
  if (!text) return false;
  const auto names = words(*text);
  return std::find(names.begin(), names.end(), kController) != names.end();
}

}  // namespace

std::string divide_own_group(const std::string& root) {
  const CgroupDirs found = find_cgroup(root, kController);
  if (!found.v2 || found.dirs.empty()) return {};
  const std::string& own = found.dirs.front();
  if (!has_memory_controller(own) || !is_handed_over(own)) return {};
  const std::string pid = std::to_string(::getpid());
  const std::string ours = own + "/hq-worker-" + pid;
  const std::string inner = ours + "/worker";
  const std::string control = "+" + std::string(kController);
  if (::mkdir(ours.c_str(), 0755) != 0) return {};
  if (::mkdir(inner.c_str(), 0755) == 0) {
    // We leave first: a group that has processes can't hand the controller on.
    if (put(inner + "/cgroup.procs", pid)) {
      if (put(own + "/cgroup.subtree_control", control) && put(ours + "/cgroup.subtree_control", control)) {
        return ours;
      }
      (void)put(own + "/cgroup.procs", pid);
    }
    ::rmdir(inner.c_str());
  }
  ::rmdir(ours.c_str());
  return {};
}

std::string prepare_memory_groups() {
  return divide_own_group("");
}

std::string MemoryGroups::path_of(uint64_t number) const {
  return dir_ + "/task-" + std::to_string(number);
}

Result<UniqueFd> MemoryGroups::make(uint64_t number, uint64_t limit) {
  const std::string path = path_of(number);
  if (::mkdir(path.c_str(), 0755) != 0) return os_error(errno).with_context("Cannot make the group " + path);
  auto fail = [&](Error error) {
    ::rmdir(path.c_str());
    return std::move(error).with_context("Cannot set up the group " + path);
  };
  if (auto set = put(path + "/memory.max", std::to_string(limit)); !set) return fail(std::move(set.error()));
  // All or nothing: a task that lost one process in the middle is worth nothing.
  if (auto set = put(path + "/memory.oom.group", "1"); !set) return fail(std::move(set.error()));
  // Missing in kernels without accounting of swap, which then isn't held back.
  (void)put(path + "/memory.swap.max", "0");
  UniqueFd entrance(::open((path + "/cgroup.procs").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!entrance.valid()) return fail(os_error(errno));
  return entrance;
}

uint64_t MemoryGroups::exceeded(uint64_t number, uint64_t limit) const {
  const std::string path = path_of(number);
  const auto events = read_text(path + "/memory.events", kMostText);
  if (!events) return 0;
  bool killed = false;
  for (const std::string_view line : split(*events, '\n')) {
    const auto parts = words(line);
    if (parts.size() == 2 && parts[0] == "oom_kill") killed = parts[1] != "0";
  }
  if (!killed) return 0;
  const auto peak = read_text(path + "/memory.peak", kMostText);  // since Linux 5.19
  const auto bytes = peak ? parse_number<uint64_t>(trim(*peak)) : std::nullopt;
  return std::max(limit, bytes.value_or(limit));
}

void MemoryGroups::remove(uint64_t number) {
  kept_.push_back(number);
  std::erase_if(kept_, [&](uint64_t each) { return ::rmdir(path_of(each).c_str()) == 0 || errno == ENOENT; });
  // Directories without a process do no harm; they go with the whole tree.
  if (kept_.size() > kMostKept) kept_.erase(kept_.begin());
}

}  // namespace hq
