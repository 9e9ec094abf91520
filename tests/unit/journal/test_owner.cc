#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "journal/owner.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

OwnerOptions quick() {
  OwnerOptions options;
  options.stale = 50ms;
  options.beat = 5ms;
  options.look = 5ms;
  return options;
}

void leave(const std::string& journal, const OwnerRecord& record) {
  std::ofstream(journal + ".owner") << owner_text(record);
}

OwnerRecord elsewhere() {
  OwnerRecord other;
  other.host = "far away";
  other.boot_id = "b";
  other.pid = 7;
  other.epoch = 4;
  other.token = "t";
  return other;
}

// A process that has ended and that nobody has waited for.
class Zombie {
 public:
  Zombie() : pid_(::fork()) {
    if (pid_ == 0) ::_exit(0);
    siginfo_t info;
    ::waitid(P_PID, id_t(pid_), &info, WEXITED | WNOWAIT);
  }
  Zombie(const Zombie&) = delete;
  Zombie& operator=(const Zombie&) = delete;
  ~Zombie() { ::waitpid(pid_, nullptr, 0); }
  [[nodiscard]] uint32_t pid() const { return uint32_t(pid_); }

 private:
  pid_t pid_;
};

// Of a process that has ended.
uint32_t dead_pid() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return uint32_t(pid);
}

}  // namespace

TEST_CASE("an owner file says what it was told") {
  OwnerRecord record = current_process();
  record.epoch = 12;
  record.beat = 13;
  auto back = parse_owner(owner_text(record));
  REQUIRE(back.ok());
  CHECK(*back == record);
  CHECK(record.process_start != 0);
  CHECK_FALSE(parse_owner("").ok());
  CHECK_FALSE(parse_owner("host a\npid x\ntoken t\n").ok());
}

TEST_CASE("an owner goes on beating where no new file can be made") {
  TempDir dir;
  const std::string path = dir / "j";
  auto owner = JournalOwner::acquire(path, current_process(), quick());
  REQUIRE(owner.ok());
  REQUIRE((*owner)->begin(3).ok());
  std::error_code ignored;
  const auto look = [&] {
    std::ifstream in(path + ".owner");
    return parse_owner({std::istreambuf_iterator<char>(in), {}});
  };

  while (!std::filesystem::create_directory(path + ".owner.new", ignored)) {
  }  // until no beat is being written there

  const auto before = look();
  REQUIRE(before.ok());
  for (;;) {
    const auto now = look();  // half of a text that is being written may be seen
    if (now && now->token == before->token && now->beat >= before->beat + 3) break;
  }
  CHECK((*owner)->still_ours());
}

TEST_CASE("a journal has one owner on a host, and is free when that one ends in order") {
  TempDir dir;
  const std::string journal = dir / "j";
  {
    auto first = JournalOwner::acquire(journal, current_process(), quick());
    REQUIRE(first.ok());
    REQUIRE((*first)->begin(1).ok());
    CHECK((*first)->still_ours());

    auto second = JournalOwner::acquire(journal, current_process(), quick());
    REQUIRE_FALSE(second.ok());
    const OwnerRecord self = current_process();
    CHECK(second.error().message == "The journal '" + journal + "' is in use by process " +
                                        std::to_string(self.pid) + " on host " + self.host);
  }
  CHECK(std::filesystem::is_empty(dir.path()));
  auto third = JournalOwner::acquire(journal, current_process(), quick());
  REQUIRE(third.ok());
  CHECK_FALSE((*third)->may_have_rival());
}

TEST_CASE("of an owner on this host that has died, the journal is taken at once") {
  TempDir dir;
  const std::string journal = dir / "j";
  OwnerRecord record = current_process();
  record.epoch = 3;
  SUBCASE("by its process id") {
    record.pid = dead_pid();
  }
  const Zombie zombie;
  SUBCASE("by a process that nobody has waited for") {
    record.pid = zombie.pid();
    record.process_start = 0;
  }
  SUBCASE("by a process id that somebody else has now") {
    record.pid = uint32_t(::getpid());
    record.process_start += 1;
  }
  SUBCASE("by the boot of the host") {
    record.boot_id = "an earlier one";
  }
  leave(journal, record);

  auto owner = JournalOwner::acquire(journal, current_process(), quick());

  REQUIRE(owner.ok());
  CHECK_FALSE((*owner)->may_have_rival());
  CHECK((*owner)->earlier_epoch() == 3);
}

TEST_CASE(
    "of an owner on another host, the journal is taken when the beat stands still, as one with a rival") {
  TempDir dir;
  const std::string journal = dir / "j";
  leave(journal, elsewhere());
  OwnerOptions options = quick();
  std::string said;
  options.on_wait = [&](const std::string& text) { said = text; };

  auto owner = JournalOwner::acquire(journal, current_process(), options);

  REQUIRE(owner.ok());
  CHECK((*owner)->may_have_rival());
  CHECK((*owner)->earlier_epoch() == 4);
  CHECK(said.find("process 7 on host far away") != std::string::npos);
}

TEST_CASE("of an owner on another host that beats, the journal is taken only by force") {
  TempDir dir;
  const std::string journal = dir / "j";
  leave(journal, elsewhere());
  OwnerOptions options = quick();
  options.stale = 24h;
  options.on_wait = [&](const std::string&) {
    OwnerRecord alive = elsewhere();
    alive.beat = 1;
    leave(journal, alive);
  };
  auto owner = JournalOwner::acquire(journal, current_process(), options);
  REQUIRE_FALSE(owner.ok());
  CHECK(owner.error().message.ends_with("is in use by process 7 on host far away"));

  options.takeover = true;
  owner = JournalOwner::acquire(journal, current_process(), options);
  REQUIRE(owner.ok());
  CHECK((*owner)->may_have_rival());
}

TEST_CASE("who was replaced notices, and leaves the file to the other") {
  TempDir dir;
  const std::string journal = dir / "j";
  OwnerOptions options = quick();
  auto first = JournalOwner::acquire(journal, current_process(), options);
  REQUIRE(first.ok());
  REQUIRE((*first)->begin(1).ok());
  options.takeover = true;
  auto second = JournalOwner::acquire(journal, current_process(), options);
  REQUIRE(second.ok());
  REQUIRE((*second)->begin(2).ok());

  while ((*first)->still_ours()) {
  }
  first->reset();

  auto left = parse_owner([&] {
    std::ifstream in(journal + ".owner");
    return std::string(std::istreambuf_iterator<char>(in), {});
  }());
  REQUIRE(left.ok());
  CHECK(left->epoch == 2);
  CHECK((*second)->still_ours());
}
