// What runs inside the launcher. All state is behind one lock and changed by one thread, the leader, which
// reads requests, spawns, reaps and kills: no hand-over between threads on the way from the end of one task
// to the start of its successor (a hand-over costs as much as a tenth of a short task). The lock is open
// while the leader sleeps or is in a spawn call. A spawn that hangs (a dead mount) is noticed by a second
// thread, which takes the lead; the first comes back as a stand-by when its call returns. So a hanging exec
// delays the others by two looks of the watcher, and nothing at all in the usual case. Threads are never
// ended: the kernel would send the death signal of their tasks.
//
// Groups are signalled only by the leader, which is also who reaps, so a number that is signalled is still
// ours.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "hq/base/clock.h"
#include "hq/base/unique_fd.h"
#include "hq/os/launcher.h"
#include "os/file_pool.h"
#include "os/launch_table.h"
#include "os/launch_wire.h"
#include "os/memory_groups.h"
#include "os/process_tree.h"
#include "os/spawn_call.h"

namespace hq {

class LauncherProcess {
 public:
  // `socket`: to the worker, not blocking. Descriptors 0 to 2 are the null device.
  LauncherProcess(UniqueFd socket, LauncherOptions options);
  LauncherProcess(const LauncherProcess&) = delete;
  LauncherProcess& operator=(const LauncherProcess&) = delete;
  // Ends with _exit when the worker is gone and nothing is left to do.
  [[noreturn]] void run();

 private:
  struct LoopThread {
    std::atomic<pid_t> child{0};  // in a spawn call: the child, once it lives
    bool spawning = false;
    uint64_t spawns = 0;
    LaunchId launch;
    std::optional<std::pair<int, rusage>>
        reaped;  // the child was reaped by the leader before the call returned
    // Room for a launch's environment; kept, because building it anew is the larger part of the cost.
    std::vector<char*> envp;
    std::vector<std::string> env_strings;
    std::vector<char*> sh_argv;
    std::vector<std::string> candidate_strings;
    std::vector<const char*> candidates;
  };
  using Lock = std::unique_lock<std::mutex>;

  // --- threads (launcher_loop.cc) ---
  [[noreturn]] void thread_loop(LoopThread& self);
  void stand_by(LoopThread& self, Lock& lock);
  void add_loop_thread();
  void wake_watcher();
  void kick_leader();

  // --- one turn of the leader (launcher_loop.cc) ---
  void turn(LoopThread& self, Lock& lock);
  void wait_for_input(Lock& lock);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;
  void read_commands();
  void on_command(launch_wire::Command& command);
  void reap();
  void send_reports();
  ssize_t send_some();
  void report(const ProcessEvent& event, bool at_once);
  void report_log(const std::string& text);
  void exit_if_done();

  // --- requests (launcher_requests.cc) ---
  void on_define(TemplateId id, LaunchTemplate base);
  void on_start(LaunchRequest request);
  void on_drop(LaunchId id);
  void on_remove_file(std::string path);
  void on_file_result(FileResult result);
  void on_prepared(FileResult result);
  void start_files(LaunchRecord& record, bool ahead);
  void release_slot(LaunchRecord& record);
  void clean_up_unreported(const LaunchRecord& record);
  void open_ahead();
  void take_turn(LaunchRecord& record);
  void proceed(LaunchRecord& record);
  void retry_waiting(TimePoint now);
  void fail(LaunchRecord& record, LaunchStage stage, int errnum);
  void drop_queued(LaunchRecord& record);
  void drop_all_queued();
  void release_successors(LaunchRecord& record);
  void erase(LaunchRecord& record);
  LaunchRecord* find(LaunchId id);

  // --- spawning and ending (launcher_spawn.cc) ---
  void spawn_ready(LoopThread& self, Lock& lock);
  void spawn_one(LoopThread& self, Lock& lock, LaunchRecord& record);
  static int open_pipes(LaunchRecord& record);
  void fill_plan(LoopThread& self, LaunchRecord& record, SpawnPlan& plan);
  void on_spawned(LoopThread& self, LaunchRecord& record, const SpawnOutcome& outcome);
  void on_spawn_failed(LaunchRecord& record, const SpawnOutcome& outcome);
  void remember_left_alone(const LaunchRecord& record);
  void on_exit(LaunchRecord& record, int status, const rusage& usage);

  // --- stopping (launcher_stop.cc) ---
  void on_stop(LaunchId id, Duration grace);
  void stop_running(LaunchRecord& record, StopPlan plan);
  void stop_everything(TimePoint term_at, TimePoint kill_at);
  void on_worker_gone();
  void run_stops();
  void follow_ended();
  void keep_unclear(const std::vector<ProcessEntry>& unclear, const StopPlan& plan);
  void act(const std::vector<ProcessEntry>& members, pid_t held_group, StopPlan& plan) const;
  [[nodiscard]] LeftAlone left_alone() const;
  void kill_spawning(const LaunchRecord& record);
  [[nodiscard]] TaskTrace trace_of(const LaunchRecord& record) const;
  [[nodiscard]] std::optional<TimePoint> next_stop() const;

  // --- limits of memory (launcher_memory.cc) ---
  UniqueFd make_memory_group(LaunchRecord& record);
  void leave_memory_group(LaunchRecord& record);
  void look_at_memory();
  void judge_memory(LaunchRecord& record, const std::vector<ProcessEntry>& members);

  [[nodiscard]] TimePoint clock() const;

  const pid_t pid_;
  UniqueFd socket_;
  UniqueFd child_signals_;
  UniqueFd kick_;
  const std::vector<std::string> base_environment_;
  SpawnDefaults defaults_;
  FilePool& files_;

  std::mutex mutex_;
  std::condition_variable standby_wake_;
  std::condition_variable watcher_wake_;
  std::vector<std::unique_ptr<LoopThread>> threads_;
  LoopThread* leader_ = nullptr;
  LoopThread* watcher_ = nullptr;
  unsigned idle_threads_ = 0;
  bool watcher_sleeps_ = false;
  uint64_t activity_ = 0;

  TimePoint now_{};
  launch_wire::FrameBuffer incoming_;
  Bytes outgoing_;
  size_t outgoing_done_ = 0;
  size_t outgoing_reports_ = 0;
  // Descriptors that go with the bytes from `at` on.
  struct OutgoingFd {
    size_t at = 0;
    UniqueFd fd;
  };
  std::deque<OutgoingFd> outgoing_fds_;
  std::optional<TimePoint> report_at_;
  bool socket_full_ = false;

  std::unordered_map<TemplateId, std::shared_ptr<PreparedTemplate>> templates_;
  std::unordered_map<LaunchId, std::unique_ptr<LaunchRecord>> records_;
  std::unordered_map<pid_t, LaunchRecord*> running_;
  std::deque<LaunchId> ready_;
  std::deque<LaunchId> ahead_queue_;
  std::deque<LaunchId> slot_queue_;  // their turn has come, no room to open files
  std::unordered_map<LaunchId, TimePoint> retries_;
  size_t slots_used_ = 0;  // launches that hold, or are about to hold, output descriptors
  size_t ahead_used_ = 0;
  size_t most_slots_ = 0;
  size_t most_ahead_ = 0;
  std::unordered_map<std::string, unsigned> removals_;           // files being deleted
  std::unordered_map<std::string, std::vector<LaunchId>> held_;  // launches waiting for that

  MemoryGroups memory_groups_;
  std::unordered_set<LaunchId> limited_;  // running with a limit of memory that we look after
  TimePoint next_memory_look_{};
  std::unordered_set<LaunchId> stopping_;
  std::vector<Remains> remains_;
  std::vector<Remains> ended_;  // stopped tasks that ended in this turn; who is left is not known yet
  LeftAlone left_alone_;        // without spans, which are made from the next when needed
  std::deque<std::pair<TimePoint, TimePoint>> ended_lives_;  // the latest normal ends, the oldest first
  bool forgot_lives_ = false;
  std::optional<TimePoint> fence_at_;
  bool fenced_ = false;
  std::optional<StopPlan> purge_;  // everything is being ended, orphans of unclear origin too
  bool worker_gone_ = false;
  std::optional<TimePoint> give_up_at_;
};

// The life of the launcher process, from the fork on. Never returns.
[[noreturn]] void launcher_main(UniqueFd socket, LauncherOptions options);

}  // namespace hq
