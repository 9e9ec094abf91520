// The contract of hq/journal/journal.h, kept by the journal in a file (on a real and on a fake disk) and by
// the fakes that the simulation and the tests of the server use.
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "journal/read.h"
#include "journal_world.h"
#include "sim/journal.h"
#include "support/held_journal.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

constexpr auto kPatience = std::chrono::seconds(20);
constexpr Duration kStep = 1ms;

class JournalWorld {
 public:
  virtual ~JournalWorld() = default;
  virtual Journal& journal() = 0;
  // Time passes, until the condition holds; false when it does not.
  virtual bool until(const std::function<bool()>& condition) = 0;
  // From now on, or no longer, nothing can be written.
  virtual void fail() = 0;
  virtual void heal() = 0;
  // How many events are there after a crash.
  virtual uint64_t crash() = 0;
};

template <class OnDisk>
class FileWorld final : public JournalWorld {
 public:
  FileWorld() { open(); }
  Journal& journal() override { return *opened_.journal; }
  bool until(const std::function<bool()>& condition) override {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void fail() override { disk_.fail(); }
  void heal() override { disk_.heal(); }
  uint64_t crash() override {
    opened_.journal.reset();
    disk_.crash();
    auto read = read_files(disk_.disk(), disk_.path(), [](const JournalReport&, uint64_t, Record&&) {});
    REQUIRE(read.ok());
    open();
    return read->report.events;
  }

 private:
  void open() {
    FileJournalOptions options = quick_options(disk_.path());
    options.most_unconfirmed_bytes = 10'000;
    auto opened = open_journal_on(disk_.disk(), options);
    REQUIRE(opened.ok());
    opened_ = std::move(*opened);
  }
  OnDisk disk_;
  OpenedJournal opened_;
};

class OnFakeDisk {
 public:
  Disk& disk() { return disk_; }
  [[nodiscard]] std::string path() const { return "d/j"; }
  void fail() { disk_.fail_at(1, ENOSPC, true); }
  void heal() { disk_.heal(); }
  void crash() {
    disk_.heal();
    disk_.crash(random_);
  }

 private:
  FakeDisk disk_;
  SeededRandom random_{1};
};

// A real one fails as its directory and file are of no use any more, until they are again.
class OnRealDisk {
 public:
  Disk& disk() { return gate_; }
  [[nodiscard]] std::string path() const { return dir_ / "j"; }
  void fail() { gate_.closed = true; }
  void heal() { gate_.closed = false; }
  void crash() { heal(); }

 private:
  class Gate final : public Disk {
   public:
    std::atomic<bool> closed = false;
    Result<std::unique_ptr<DiskFile>> open(const std::string& path, bool writable) override {
      return wrapped(system_disk().open(path, writable));
    }
    Result<std::unique_ptr<DiskFile>> create(const std::string& path) override {
      if (closed) return os_error(ENOSPC);
      return wrapped(system_disk().create(path));
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
      return system_disk().rename(from, to);
    }
    Result<void> remove(const std::string& path) override { return system_disk().remove(path); }
    Result<void> sync_directory(const std::string& path) override {
      return system_disk().sync_directory(path);
    }
    Result<uint64_t> free_bytes(const std::string& path) override { return system_disk().free_bytes(path); }
    Result<std::vector<std::string>> list(const std::string& path) override {
      return system_disk().list(path);
    }

   private:
    class File final : public DiskFile {
     public:
      File(std::unique_ptr<DiskFile> file, const std::atomic<bool>& closed)
          : file_(std::move(file)), closed_(closed) {}
      Result<size_t> read_at(uint64_t offset, char* to, size_t size) override {
        return file_->read_at(offset, to, size);
      }
      Result<void> write_at(uint64_t offset, BytesView bytes) override {
        if (closed_) return os_error(ENOSPC);
        return file_->write_at(offset, bytes);
      }
      Result<void> sync() override { return file_->sync(); }
      Result<bool> reserve(uint64_t end) override { return file_->reserve(end); }
      Result<void> truncate(uint64_t size) override { return file_->truncate(size); }
      Result<uint64_t> size() override { return file_->size(); }

     private:
      std::unique_ptr<DiskFile> file_;
      const std::atomic<bool>& closed_;
    };
    Result<std::unique_ptr<DiskFile>> wrapped(Result<std::unique_ptr<DiskFile>> file) {
      if (!file) return file.error();
      return std::unique_ptr<DiskFile>(std::make_unique<File>(std::move(*file), closed));
    }
  };
  TempDir dir_;
  Gate gate_;
};

class SimulatedWorld final : public JournalWorld {
 public:
  Journal& journal() override { return journal_; }
  bool until(const std::function<bool()>& condition) override {
    const TimePoint end = now_ + kPatience;
    while (!condition()) {
      if (now_ > end) return false;
      now_ += kStep;
    }
    return true;
  }
  void fail() override { journal_.fail_until(now_ + 1h); }
  void heal() override { now_ += 1h; }
  uint64_t crash() override {
    journal_.crash();
    uint64_t events = 0;
    for (const auto& commit : journal_.commits()) events += commit.size();
    return events;
  }

 private:
  SeededRandom random_{1};
  TimePoint now_{1000s};
  sim::SlowJournal journal_{random_, now_, true};
};

class HeldWorld final : public JournalWorld {
 public:
  Journal& journal() override { return journal_; }
  bool until(const std::function<bool()>& condition) override {
    while (!condition() && !failing_) journal_.confirm(1);
    return condition();
  }
  void fail() override {
    failing_ = true;
    journal_.hold();
    journal_.trouble = "'j': No space left on device (os error 28)";
    journal_.waiting = 1s;
    journal_.full = true;
  }
  void heal() override {
    failing_ = false;
    journal_.release();
    journal_.trouble.clear();
    journal_.full = false;
  }
  uint64_t crash() override {
    journal_.lose_unconfirmed();
    uint64_t events = 0;
    for (const auto& commit : journal_.commits()) events += commit.size();
    return events;
  }

 private:
  HeldJournal journal_{true};
  bool failing_ = false;
};

void in_each_world(const std::function<void(JournalWorld&)>& body) {
  const auto in = [&](const char* name, std::unique_ptr<JournalWorld> world) {
    CAPTURE(name);
    body(*world);
  };
  in("a file on the machine's disk", std::make_unique<FileWorld<OnRealDisk>>());
  in("a file on a fake disk", std::make_unique<FileWorld<OnFakeDisk>>());
  in("the simulation's", std::make_unique<SimulatedWorld>());
  in("the one of the server's tests", std::make_unique<HeldWorld>());
}

std::vector<Record> turn(size_t events) {
  return std::vector<Record>(events, {kStart, JobClosed{JobId(1)}});
}

}  // namespace

TEST_CASE("journal: commits are numbered, and become safe in their order") {
  in_each_world([](JournalWorld& world) {
    Journal& journal = world.journal();
    CHECK(journal.committed() == 0);
    CommitNumber before = 0;
    for (CommitNumber i = 1; i <= 50; ++i) {
      CHECK(journal.append(turn(i % 3 + 1)) == i);
      const CommitNumber safe = journal.committed();
      CHECK(safe >= before);
      CHECK(safe <= i);
      before = safe;
    }

    CHECK(world.until([&] { return journal.committed() == 50; }));
    CHECK(journal.outlives_server());
    CHECK(journal.status().trouble.empty());
  });
}

TEST_CASE("journal: while nothing can be written, new work is refused and results are kept") {
  in_each_world([](JournalWorld& world) {
    Journal& journal = world.journal();
    CHECK(world.until([&] { return journal.make_room(100).ok(); }));
    CHECK_FALSE(journal.overfull());

    world.fail();
    CommitNumber last = 0;
    for (int i = 0; i < 250; ++i) last = journal.append(turn(2));
    CHECK(world.until([&] { return !journal.status().trouble.empty(); }));
    CHECK(world.until([&] { return journal.overfull(); }));
    const auto room = journal.make_room(100);
    REQUIRE_FALSE(room.ok());
    CHECK(room.error().message.ends_with("No space left on device (os error 28)"));
    CHECK(journal.committed() < last);
    CHECK(world.until([&] { return journal.status().waiting > 0ns; }));

    world.heal();
    CHECK(world.until([&] { return journal.committed() == last; }));
    CHECK_FALSE(journal.overfull());
    CHECK(world.until([&] { return journal.make_room(100).ok(); }));
    CHECK(journal.status().waiting == 0ns);
  });
}

TEST_CASE("journal: a crash leaves what was safe, and at most what was appended") {
  in_each_world([](JournalWorld& world) {
    Journal& journal = world.journal();
    uint64_t events = 0;
    uint64_t safe_events = 0;
    std::vector<uint64_t> ends = {0};
    for (int i = 0; i < 40; ++i) {
      journal.append(turn(size_t(i % 3 + 1)));
      events += uint64_t(i % 3 + 1);
      ends.push_back(events);
      if (i == 20) CHECK(world.until([&] { return journal.committed() >= 15; }));
      safe_events = ends[journal.committed()];
    }

    const uint64_t there = world.crash();

    CHECK(there >= safe_events);
    CHECK(there <= events);
    CHECK(std::find(ends.begin(), ends.end(), there) != ends.end());
  });
}
