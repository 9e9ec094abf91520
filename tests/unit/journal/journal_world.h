// A journal on a test's disk, and the events that were given to it.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include "fake_disk.h"
#include "journal/open.h"
#include "samples.h"

namespace hq::test {

inline FileJournalOptions quick_options(const std::string& path) {
  FileJournalOptions options;
  options.path = path;
  options.server_uid = "abcdef";
  options.lazy = 1ms;
  options.pause = 0ms;
  options.retry = 1ms;
  return options;
}

// Waits until commits up to this one are safe; false after 20 s.
inline bool wait_for(OpenedJournal& opened, CommitNumber commit) {
  while (opened.journal->committed() < commit) {
    pollfd readable{opened.wake_fd, POLLIN, 0};
    if (::poll(&readable, 1, 20'000) == 0) return false;
  }
  return true;
}

// Makes it shorter; false after 20 s.
inline bool prune(OpenedJournal& opened) {
  const uint64_t wish = opened.journal->prune();
  for (;;) {
    (void)opened.journal->committed();
    if (opened.journal->pruned() >= wish) return true;
    pollfd readable{opened.wake_fd, POLLIN, 0};
    if (::poll(&readable, 1, 20'000) == 0) return false;
  }
}

// The events of a small cluster: one job of `tasks` tasks that run one after the other.
class Story {
 public:
  explicit Story(uint32_t tasks) {
    add({ServerStarted{"abcdef"}});
    add({WorkerConnected{WorkerId(1), WorkerUid(9), std::make_shared<const WorkerConfig>(worker_config(4))},
         JobSubmitted{JobId(1), JobUid(5), false, "j", std::nullopt, submit().array(0, tasks).shared()}});
    for (uint32_t i = 0; i < tasks; ++i) {
      TaskEnd end;
      end.task = {JobId(1), TaskId(i)};
      end.at = kStart + Duration(int64_t(i));
      end.usage.ran_s = 0.25F;
      end.finished = i % 7 != 3;
      if (!end.finished) end.failure = {FailureKind::kExit, 1, {}};
      add({TasksAssigned{WorkerId(1), {{JobId(1), {i, i, 1}, InstanceId(0), 0, true}}},
           TasksEnded{WorkerId(1), {end}}});
    }
  }
  [[nodiscard]] const std::vector<std::vector<Record>>& turns() const { return turns_; }

 private:
  void add(std::vector<Event> events) {
    std::vector<Record> turn;
    for (Event& event : events) turn.push_back({kStart + Duration(int64_t(turns_.size())), std::move(event)});
    turns_.push_back(std::move(turn));
  }
  std::vector<std::vector<Record>> turns_;
};

// All that can be read, re-encoded: equal texts are equal histories.
inline Bytes history_of(const std::vector<std::vector<Record>>& turns, size_t count) {
  std::vector<NumberedRecord> records;
  for (size_t i = 0; i < count; ++i) {
    for (const Record& record : turns[i]) records.push_back({records.size() + 1, record});
  }
  return records.empty() ? Bytes() : encode_records(records);
}

}  // namespace hq::test
