// One place and its thread: reads the pipes of the tasks that stream there and hands the bytes to a keeper.
// Level-triggered, one buffer: while the keeper waits for its disk nothing is read, so that the pipes fill
// and the tasks wait too.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "hq/base/unique_fd.h"
#include "hq/stream/task_output.h"
#include "stream/keeper.h"

namespace hq {

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  // `tell` is called by the lane's thread.
  using Tell = std::function<void(std::vector<OutputEvent>)>;
  Lane(std::unique_ptr<Keeper> keeper, Tell tell);

  struct Task {
    OutputId id;
    StreamKey key;
    UniqueFd fds[kOutputChannels];
  };
  // Starts the thread. False when it can't.
  bool run();
  void start(Task task);
  void end(OutputId id, bool cut);
  // Takes what is there, writes the index and ends the thread.
  void close();
  // True when the thread has ended, at the latest after `most`.
  bool wait_closed(Duration most);

 private:
  struct Command {
    enum class Kind : uint8_t { kStart, kEnd, kCut };
    Kind kind = Kind::kEnd;
    OutputId id;
    Task task;
  };
  struct Stream {
    OutputId id;
    StreamKey key;
    UniqueFd fds[kOutputChannels];
    bool ours[kOutputChannels] = {};
    bool watched = false;
    bool wide = false;  // its pipes were made larger
  };

  void command(Command command);
  void work();
  bool turn();
  void unwatch(Stream& stream);
  void take(Command& command);
  void read_ready(bool may_sleep);
  void poll_ready(bool may_sleep);
  void read_from(uint64_t which);
  bool read_once(Stream& stream, OutputChannel channel);
  void finish(Stream& stream, bool cut);
  size_t rest_in(const Stream& stream, OutputChannel channel) const;
  void put_rest(Stream& stream, OutputChannel channel, size_t bytes, uint8_t flags);
  void watch(Stream& stream);
  void fail(const std::vector<StreamKey>& lost, bool all, const std::string& why);
  void flush();
  void drop(OutputId id);

  const std::unique_ptr<Keeper> keeper_;
  const Tell tell_;
  UniqueFd poll_;
  UniqueFd wake_;

  std::mutex mutex_;
  std::condition_variable closed_wake_;
  std::vector<Command> inbox_;
  bool sleeping_ = false;
  bool closing_ = false;
  bool closed_ = false;

  // The thread's own.
  std::unordered_map<OutputId, Stream> streams_;
  std::unordered_map<StreamKey, OutputId, StreamKeyHash> by_key_;
  std::vector<OutputId> fresh_;                        // started, not watched yet
  std::vector<std::pair<OutputId, StreamKey>> ended_;  // safe with the next flush
  std::vector<OutputEvent> events_;
  std::array<epoll_event, 64> ready_;
  size_t next_ready_ = 0;  // those before it had their turn
  size_t ready_count_ = 0;
  SystemClock clock_;
  WallTime now_;
  bool more_ = false;  // some pipe had as much as could be taken
  bool rested_ = true;
  size_t watched_ = 0;
};

}  // namespace hq
