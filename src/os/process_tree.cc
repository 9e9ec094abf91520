#include "os/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <unordered_map>

#include "hq/base/unique_fd.h"

namespace hq {

namespace {

constexpr int kNobody = -1;
constexpr uint64_t kForkingGoesOn = 100;  // ticks after the end of a task: a second

// Reads at most `limit` bytes; empty when it can't be read.
std::string read_proc_file(const std::string& path, size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  while (fd.valid() && text.size() < limit) {
    ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

// One search: the processes below the launcher and the task each belongs to.
class Search {
 public:
  Search(pid_t launcher, const std::vector<ProcessEntry>& all, const std::vector<TaskTrace>& tasks,
         const LeftAlone& left_alone)
      : launcher_(launcher), tasks_(tasks), left_alone_(left_alone) {
    for (const ProcessEntry& entry : all) by_pid_[entry.pid] = &entry;
    if (auto found = by_pid_.find(launcher); found != by_pid_.end())
      launcher_session_ = found->second->session;
    for (const ProcessEntry& entry : all) {
      if (entry.pid != launcher && below_launcher(entry)) below_.push_back(&entry);
    }
  }

  TaskProcesses run() {
    claim_by_trace();
    claim_relatives();
    claim_orphans();
    claim_relatives();
    TaskProcesses result;
    result.of_task.resize(tasks_.size());
    for (const ProcessEntry* entry : below_) {
      int owner = owner_of(entry->pid);
      if (entry->ended) continue;
      if (owner != kNobody) {
        result.of_task[static_cast<size_t>(owner)].push_back(*entry);
      } else if (unclear_.contains(top_of(*entry)->pid)) {
        result.unclear.push_back(*entry);
      }
    }
    return result;
  }

 private:
  bool below_launcher(const ProcessEntry& entry) const {
    const ProcessEntry* at = &entry;
    // The bound guards against a picture put together from different moments.
    for (size_t steps = 0; steps <= by_pid_.size(); ++steps) {
      if (at->parent == launcher_) return true;
      auto up = by_pid_.find(at->parent);
      if (up == by_pid_.end()) return false;
      at = up->second;
    }
    return false;
  }

  // The ancestor (or the process itself) whose parent is the launcher. REQUIRES: below_launcher(entry).
  const ProcessEntry* top_of(const ProcessEntry& entry) const {
    const ProcessEntry* at = &entry;
    while (at->parent != launcher_) at = by_pid_.at(at->parent);
    return at;
  }

  int owner_of(pid_t pid) const {
    auto found = owner_.find(pid);
    return found == owner_.end() ? kNobody : found->second;
  }

  void claim_by_trace() {
    for (size_t i = 0; i < tasks_.size(); ++i) {
      const TaskTrace& task = tasks_[i];
      int owner = static_cast<int>(i);
      if (task.root_held) {
        owner_[task.root] = owner;
        claim_number(task.root, owner);
      }
      for (const KnownProcess& known : task.known) {
        auto found = by_pid_.find(known.pid);
        if (found == by_pid_.end() || found->second->start_ticks != known.start_ticks) continue;
        owner_[known.pid] = owner;
        // A number in use as session or group is not given out again, so while a known process is in it, it
        // is ours.
        if (found->second->session == task.root || found->second->group == task.root)
          claim_number(task.root, owner);
      }
    }
  }

  // `number` as session and as group belongs to the task.
  void claim_number(pid_t number, int owner) {
    if (number != launcher_session_ && number != 0) number_owner_.emplace(number, owner);
  }

  void claim_relatives() {
    for (bool found_more = true; found_more;) {
      found_more = false;
      for (const ProcessEntry* entry : below_) {
        if (owner_of(entry->pid) != kNobody) {
          claim_number(entry->session, owner_of(entry->pid));
          claim_number(entry->group, owner_of(entry->pid));
          continue;
        }
        int owner = entry->parent == launcher_ ? kNobody : owner_of(entry->parent);
        for (pid_t number : {entry->session, entry->group}) {
          auto by_number = number_owner_.find(number);
          if (owner == kNobody && by_number != number_owner_.end()) owner = by_number->second;
        }
        if (owner == kNobody) continue;
        owner_[entry->pid] = owner;
        found_more = true;
      }
    }
  }

  enum class Match { kOurs, kAnother, kUnknown };

  static Match match(const std::string& environment, const std::vector<std::string>& variables) {
    if (variables.empty()) return Match::kUnknown;
    size_t same = 0;
    for (const std::string& variable : variables) {
      size_t key_size = variable.find('=') + 1;
      std::string_view key = std::string_view(variable).substr(0, key_size);
      size_t at = environment.starts_with(key) ? 0 : environment.find(std::string(1, '\0').append(key));
      if (at == std::string::npos) continue;
      if (at != 0) ++at;
      if (environment.compare(at, variable.size() + 1, variable.c_str(), variable.size() + 1) != 0) {
        return Match::kAnother;
      }
      ++same;
    }
    return same == variables.size() ? Match::kOurs : Match::kUnknown;
  }

  void claim_orphans() {
    for (const ProcessEntry* entry : below_) {
      if (entry->parent != launcher_ || entry->ended || owner_of(entry->pid) != kNobody) continue;
      if (left_alone_.numbers.contains(entry->session) || left_alone_.numbers.contains(entry->group))
        continue;
      std::string environment = read_environment(entry->pid);
      std::vector<int> possible;
      bool sure = false;
      for (size_t i = 0; i < tasks_.size() && !sure; ++i) {
        if (tasks_[i].start_ticks > entry->start_ticks) continue;
        Match fit = match(environment, tasks_[i].variables);
        sure = fit == Match::kOurs;
        if (sure) possible.clear();
        if (fit != Match::kAnother) possible.push_back(static_cast<int>(i));
      }
      if (possible.empty()) continue;
      if (sure || (possible.size() == 1 &&
                   !may_be_left_behind(*entry, tasks_[static_cast<size_t>(possible.front())]))) {
        owner_[entry->pid] = possible.front();
      } else {
        unclear_.insert(entry->pid);
      }
    }
  }

  // Did a task that ended before leave it, rather than the one that it seems to belong to? In the first tick
  // of the latter that can't be told from the times: what the other left may have gone on forking for a
  // while.
  bool may_be_left_behind(const ProcessEntry& entry, const TaskTrace& task) const {
    uint64_t after_end = entry.start_ticks == task.start_ticks ? kForkingGoesOn : 0;
    return std::any_of(left_alone_.spans.begin(), left_alone_.spans.end(), [&](const EndedSpan& span) {
      return span.start_ticks <= entry.start_ticks && entry.start_ticks <= span.end_ticks + after_end;
    });
  }

  pid_t launcher_;
  pid_t launcher_session_ = 0;
  const std::vector<TaskTrace>& tasks_;
  const LeftAlone& left_alone_;
  std::unordered_map<pid_t, const ProcessEntry*> by_pid_;
  std::vector<const ProcessEntry*> below_;
  std::unordered_map<pid_t, int> owner_;
  std::unordered_map<pid_t, int> number_owner_;
  std::unordered_set<pid_t> unclear_;
};

}  // namespace

bool parse_process_stat(const std::string& text, ProcessEntry& out) {
  // "pid (name) state ppid pgrp session ... starttime": the name may hold anything, also ')'.
  size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 4 > text.size()) return false;
  out.ended = text[name_end + 2] == 'Z' || text[name_end + 2] == 'X';
  const char* at = text.data() + name_end + 3;
  const char* end = text.data() + text.size();
  constexpr int kStartTimeField = 22;
  constexpr int kRssField = 24;
  static const auto page_bytes = uint64_t(sysconf(_SC_PAGESIZE));
  for (int field = 4; field <= kRssField; ++field) {
    while (at < end && *at == ' ') ++at;
    uint64_t value = 0;
    const bool negative = at < end && *at == '-';
    auto parsed = std::from_chars(at + (negative ? 1 : 0), end, value);
    if (parsed.ec != std::errc()) {
      if (field > kStartTimeField) break;  // without its memory it is known all the same
      return false;
    }
    at = parsed.ptr;
    if (negative) value = 0 - value;
    if (field == kRssField && !negative) out.rss_bytes = value * page_bytes;
    if (field == 4) out.parent = static_cast<pid_t>(value);
    if (field == 5) out.group = static_cast<pid_t>(value);
    if (field == 6) out.session = static_cast<pid_t>(value);
    if (field == kStartTimeField) out.start_ticks = static_cast<uint64_t>(value);
  }
  auto pid = std::from_chars(text.data(), end, out.pid);
  return pid.ec == std::errc();
}

std::vector<ProcessEntry> list_processes() {
  std::vector<ProcessEntry> entries;
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc"), [](DIR* d) { return ::closedir(d); });
  if (!dir) return entries;
  while (const dirent* item = ::readdir(dir.get())) {
    if (item->d_name[0] < '1' || item->d_name[0] > '9') continue;
    ProcessEntry entry;
    std::string stat = read_proc_file(std::string("/proc/") + item->d_name + "/stat", 4096);
    if (parse_process_stat(stat, entry)) entries.push_back(entry);
  }
  return entries;
}

// Field "Pss:" of /proc/PID/smaps_rollup, in KiB.
std::optional<uint64_t> proportional_memory(pid_t pid) {
  const std::string text = read_proc_file("/proc/" + std::to_string(pid) + "/smaps_rollup", 4096);
  size_t at = text.find("\nPss:");
  if (at == std::string::npos) return std::nullopt;
  at = text.find_first_not_of(' ', at + 5);
  uint64_t kib = 0;
  if (at == std::string::npos) return std::nullopt;
  const auto parsed = std::from_chars(text.data() + at, text.data() + text.size(), kib);
  if (parsed.ec != std::errc()) return std::nullopt;
  return kib * 1024;
}

std::string read_environment(pid_t pid) {
  constexpr size_t kMostBytes = 4u << 20;
  return read_proc_file("/proc/" + std::to_string(pid) + "/environ", kMostBytes);
}

TaskProcesses find_task_processes(pid_t launcher, const std::vector<ProcessEntry>& all,
                                  const std::vector<TaskTrace>& tasks, const LeftAlone& left_alone) {
  return Search(launcher, all, tasks, left_alone).run();
}

}  // namespace hq
