// The worker's end of the launcher.
#pragma once

#include <sys/types.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/unique_fd.h"
#include "hq/os/launcher.h"
#include "os/launch_wire.h"

namespace hq {

class LauncherClient final : public Launcher {
 public:
  // `socket` is not blocking; `poll` is an epoll descriptor that holds it already, waiting for input.
  LauncherClient(UniqueFd socket, UniqueFd poll, pid_t pid);
  LauncherClient(const LauncherClient&) = delete;
  LauncherClient& operator=(const LauncherClient&) = delete;
  ~LauncherClient() override;

  void define(TemplateId id, const LaunchTemplate& base) override;
  void forget(TemplateId id) override;
  void start(const LaunchRequest& request) override;
  void drop(LaunchId id) override;
  void stop(LaunchId id, Duration grace) override;
  void remove_file(const std::string& path) override;
  void flush() override;
  std::optional<ProcessEvent> next_event() override;
  std::vector<std::string> take_log() override;
  [[nodiscard]] int event_fd() const override { return poll_.get(); }
  void set_fence(std::optional<Duration> within) override;
  [[nodiscard]] pid_t pid() const override { return pid_; }

 private:
  void receive();
  ssize_t receive_some(char* place, size_t size);
  bool attach_pipes(launch_wire::Report& report);
  void on_gone();
  void wait_for_output(bool on);

  UniqueFd socket_;
  UniqueFd poll_;
  pid_t pid_;
  Bytes outgoing_;
  size_t outgoing_done_ = 0;
  bool waits_for_output_ = false;
  launch_wire::FrameBuffer incoming_;
  std::deque<UniqueFd> received_fds_;  // their events follow
  std::deque<ProcessEvent> events_;
  std::vector<std::string> log_;
  bool gone_ = false;
};

}  // namespace hq
