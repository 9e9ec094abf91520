// Output in the simulation. What a task prints is decided by who it is, so that what was kept can be
// compared. Directories keep it after a while, or fail; the server's log files get it over the simulated
// network, in pieces, and take it after a while, or fail.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/random.h"
#include "hq/stream/log_store.h"
#include "hq/stream/task_output.h"

namespace hq::sim {

[[nodiscard]] std::string printed_by(const StreamKey& key);

// Of one life of a worker.
class SimOutput final : public TaskOutput {
 public:
  // Does something after a while, and gives the worker a turn then.
  using Later = std::function<void(Duration, std::function<void()>)>;
  SimOutput(SeededRandom& random, Later later) : random_(random), later_(std::move(later)) {}

  [[nodiscard]] bool has_room() const override { return true; }
  void start(OutputId id, const OutputPlace& place, const StreamKey& key, UniqueFd out,
             UniqueFd err) override;
  void end(OutputId id) override;
  void cut(OutputId id) override { tasks_.erase(id); }
  std::optional<OutputEvent> next_event() override;
  [[nodiscard]] bool has_packets() override { return !packets_.empty(); }
  std::optional<OutputPacket> next_packet() override;
  void on_resumed(uint64_t last, const std::vector<uint64_t>& pending) override;
  void on_kept(uint64_t number, const std::vector<PacketFailure>& failures) override;
  void set_window(uint64_t bytes) override { window_ = bytes; }
  void abandon() override;
  [[nodiscard]] bool has_events() const { return !events_.empty(); }

 private:
  struct Task {
    OutputPlace place;
    StreamKey key;
  };
  void hand_over();

  SeededRandom& random_;
  const Later later_;
  std::map<OutputId, Task> tasks_;
  std::deque<std::pair<OutputPacket, std::optional<OutputId>>> waiting_;  // for room; the last one of a task
  std::map<uint64_t, OutputPacket> packets_;
  std::map<uint64_t, OutputId> last_of_;  // packets with which a task's output is complete
  std::deque<OutputEvent> events_;
  uint64_t last_number_ = 0;
  uint64_t last_sent_ = 0;
  uint64_t held_ = 0;
  uint64_t window_ = 4000;
  bool abandoned_ = false;
};

// Log files; they outlive servers.
class SimLogs final : public LogStore {
 public:
  using Later = std::function<void(Duration, std::function<void()>)>;
  SimLogs(SeededRandom& random, Later later) : random_(random), later_(std::move(later)) {}

  void append(LogBatchId id, const LogPlace& place, Bytes records) override;
  std::optional<LogBatchDone> next_done() override;
  // What was not written yet is lost or written, but nobody is told.
  void on_server_gone();
  [[nodiscard]] std::string content(const std::string& server_uid, const std::string& path,
                                    const StreamKey& key) const;
  // Empty as long as nothing had a gap.
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  struct Batch {
    LogBatchId id;
    LogPlace place;
    Bytes records;
  };
  std::vector<LogBatchDone::Failure> write(const Batch& batch);
  std::vector<LogBatchDone::Failure> lose(const Batch& batch);

  SeededRandom& random_;
  const Later later_;
  std::deque<Batch> batches_;
  uint64_t servers_ = 0;
  std::map<std::pair<std::string, std::string>, std::map<StreamKey, std::string>> files_;
  std::set<std::pair<std::string, StreamKey>> lost_;   // in this life of the server
  std::set<std::pair<std::string, StreamKey>> holed_;  // in any
  std::deque<LogBatchDone> done_;
  std::string fault_;
};

}  // namespace hq::sim
