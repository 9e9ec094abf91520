// A real launcher for tests, with waiting for conditions.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "hq/os/launcher.h"
#include "os/path_work.h"
#include "support/temp_dir.h"

namespace hq::test {

using SteadyClock = std::chrono::steady_clock;

// True as soon as the condition holds; gives up after a time that no healthy run needs.
inline bool eventually(const std::function<bool()>& condition) {
  auto end = SteadyClock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (SteadyClock::now() > end) return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

inline bool exists(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

inline std::string content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline pid_t pid_in(const std::string& path) {
  std::string text = content(path);
  return text.empty() ? 0 : static_cast<pid_t>(std::stoi(text));
}

// Neither running nor a zombie.
inline bool alive(pid_t pid) {
  std::string stat = content("/proc/" + std::to_string(pid) + "/stat");
  size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat[name_end + 2] != 'Z';
}

class LauncherWorld {
 public:
  LauncherWorld() : LauncherWorld(capture_process_start_state()) {}
  explicit LauncherWorld(ProcessStartState state, std::string memory_groups = "") {
    LauncherOptions options;
    options.start_state = std::move(state);
    options.memory_groups = std::move(memory_groups);
    auto started = start_launcher(std::move(options));
    REQUIRE(started.ok());
    launcher = std::move(*started);
  }

  TemplateId define(std::vector<std::string> args, std::string stdin_data = "") {
    LaunchTemplate base;
    base.args = std::move(args);
    base.stdin_data = std::move(stdin_data);
    TemplateId id(++last_template_);
    launcher->define(id, base);
    return id;
  }
  LaunchRequest request(TemplateId base) {
    LaunchRequest r;
    r.id = LaunchId(++last_launch_);
    r.base = base;
    return r;
  }
  LaunchRequest request(std::vector<std::string> args) { return request(define(std::move(args))); }
  LaunchId start(const LaunchRequest& r) {
    launcher->start(r);
    launcher->flush();
    return r.id;
  }
  LaunchId start(std::vector<std::string> args) { return start(request(std::move(args))); }
  LaunchId shell(const std::string& script) { return start({"/bin/sh", "-c", script}); }

  bool take_events() {
    bool any = false;
    while (auto event = launcher->next_event()) {
      any = true;
      history.push_back(*event);
    }
    return any;
  }
  const ProcessEvent* find(LaunchId id, ProcessEvent::Kind kind) {
    take_events();
    for (const ProcessEvent& event : history) {
      if (event.id == id && event.kind == kind) return &event;
    }
    return nullptr;
  }
  ProcessEvent wait_for(LaunchId id, ProcessEvent::Kind kind) {
    const ProcessEvent* found = nullptr;
    auto end = SteadyClock::now() + std::chrono::seconds(30);
    while ((found = find(id, kind)) == nullptr && SteadyClock::now() < end) {
      pollfd fd{launcher->event_fd(), POLLIN, 0};
      poll(&fd, 1, 100);
    }
    REQUIRE(found != nullptr);
    return *found;
  }
  ProcessEvent exit_of(LaunchId id) { return wait_for(id, ProcessEvent::Kind::kExited); }
  ProcessEvent failure_of(LaunchId id) { return wait_for(id, ProcessEvent::Kind::kFailed); }
  ProcessEvent start_of(LaunchId id) { return wait_for(id, ProcessEvent::Kind::kStarted); }
  // Place of an event in the order they came in.
  size_t place(LaunchId id, ProcessEvent::Kind kind) {
    for (size_t i = 0; i < history.size(); ++i) {
      if (history[i].id == id && history[i].kind == kind) return i;
    }
    return history.size();
  }

  std::unique_ptr<Launcher> launcher;
  std::vector<ProcessEvent> history;

 private:
  uint32_t last_template_ = 0;
  uint64_t last_launch_ = 0;
};

inline OutputTarget to_file(const std::string& path) {
  return {OutputTarget::Kind::kFile, path};
}

}  // namespace hq::test
