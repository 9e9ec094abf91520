#include "journal/owner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <optional>
#include <sstream>

#include "hq/base/random.h"
#include "hq/base/signals_blocked.h"
#include "hq/base/small_files.h"

namespace hq {

namespace {

constexpr size_t kTokenLength = 16;
constexpr size_t kMostText = 64 * 1024;  // of an owner file, or of one in /proc

// Readers see the whole text or the one before.
Result<void> replace_text(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  Result<void> done = fd.valid() ? write_all(fd.get(), text) : Result<void>(os_error(errno));
  if (done && ::close(fd.release()) != 0) done = os_error(errno);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = os_error(errno);
  if (!done) return Error("'" + temporary + "': " + done.error().message);
  return {};
}

// Needs no room on the disk. REQUIRES: the file has a text of the same length.
Result<void> overwrite_text(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return os_error(errno);
  return write_all(fd.get(), text);
}

struct ProcessStatus {
  bool zombie = false;
  uint64_t start = 0;  // in ticks since boot; 0: there is no such process
};

// The third and the 22nd field of /proc/PID/stat.
ProcessStatus status_of_process(uint32_t pid) {
  ProcessStatus status;
  auto text = read_text(fmt::format("/proc/{}/stat", pid), kMostText);
  if (!text) return status;
  const size_t behind_name = text->rfind(')');
  if (behind_name == std::string::npos) return status;
  std::istringstream fields(text->substr(behind_name + 1));
  std::string field;
  for (int i = 3; i <= 22 && fields >> field; ++i) {
    if (i == 3) status.zombie = field == "Z" || field == "X";
  }
  std::from_chars(field.data(), field.data() + field.size(), status.start);
  return status;
}

// A killed process can be a zombie while one of its threads is still held up in a write.
bool has_other_threads(uint32_t pid) {
  std::error_code error;
  std::filesystem::directory_iterator threads(fmt::format("/proc/{}/task", pid), error);
  return !error && std::distance(begin(threads), end(threads)) > 1;
}

// A process that nobody waits for (some containers have no init that does) stays a zombie, which owns
// nothing.
bool is_running(const OwnerRecord& owner) {
  if (::kill(pid_t(owner.pid), 0) != 0 && errno == ESRCH) return false;
  const ProcessStatus status = status_of_process(owner.pid);
  if (status.zombie && !has_other_threads(owner.pid)) return false;
  return status.start == 0 || owner.process_start == 0 || status.start == owner.process_start;
}

Error in_use(const std::string& journal_path, const std::string& by) {
  return Error(fmt::format("The journal '{}' is in use by {}", journal_path, by));
}

std::string named(const OwnerRecord& owner) {
  return fmt::format("process {} on host {}", owner.pid, owner.host);
}

std::chrono::steady_clock::time_point steady_time() {
  return std::chrono::steady_clock::now();
}

// Waits until the beat of another host has stood still for long enough.
Result<void> wait_for_silence(const std::string& path, const std::string& journal_path, OwnerRecord owner,
                              const OwnerOptions& options) {
  if (options.on_wait) {
    options.on_wait(fmt::format(
        "The journal '{}' was in use by {}; waiting for {} s whether that one still lives (--takeover does "
        "not wait)",
        journal_path, named(owner), std::chrono::duration_cast<std::chrono::seconds>(options.stale).count()));
  }
  const auto begin = steady_time();
  while (steady_time() - begin < options.stale) {
    if (options.canceled && options.canceled()) return in_use(journal_path, named(owner));
    std::this_thread::sleep_for(options.look);
    auto text = read_text(path, kMostText);
    if (!text) return {};  // it ended in order meanwhile
    auto now = parse_owner(*text);
    if (now && *now != owner) return in_use(journal_path, named(*now));
  }
  return {};
}

}  // namespace

std::string owner_text(const OwnerRecord& record) {
  // Texts of one owner all have the same length.
  return fmt::format("host {}\nboot {}\npid {}\nstart {}\nepoch {}\nbeat {:020}\ntoken {}\n", record.host,
                     record.boot_id, record.pid, record.process_start, record.epoch, record.beat,
                     record.token);
}

Result<OwnerRecord> parse_owner(const std::string& text) {
  OwnerRecord out;
  std::istringstream in(text);
  std::string key;
  std::string value;
  const auto number = [&]<class T>(T& to) {
    const char* end = value.data() + value.size();
    return std::from_chars(value.data(), end, to).ptr == end && !value.empty();
  };
  bool good = true;
  while (in >> key && std::getline(in >> std::ws, value)) {
    if (key == "host") out.host = value;
    if (key == "boot") out.boot_id = value;
    if (key == "pid") good = good && number(out.pid);
    if (key == "start") good = good && number(out.process_start);
    if (key == "epoch") good = good && number(out.epoch);
    if (key == "beat") good = good && number(out.beat);
    if (key == "token") out.token = value;
  }
  if (!good || out.host.empty() || out.pid == 0 || out.token.empty())
    return Error("The owner file is not in its form");
  return out;
}

OwnerRecord current_process() {
  OwnerRecord self;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) self.host = host.data();
  if (self.host.empty()) self.host = "unknown";
  if (auto boot = read_text("/proc/sys/kernel/random/boot_id", kMostText))
    self.boot_id = boot->substr(0, boot->find('\n'));
  self.pid = uint32_t(::getpid());
  self.process_start = status_of_process(self.pid).start;
  SystemRandom random;
  self.token = random.alphanumeric(kTokenLength);
  return self;
}

Result<std::unique_ptr<JournalOwner>> JournalOwner::acquire(const std::string& journal_path, OwnerRecord self,
                                                            OwnerOptions options) {
  const std::string path = journal_path + ".owner";
  // Among processes of one host the lock decides at once; elsewhere it may say nothing.
  UniqueFd lock(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return os_error(errno);
  const bool locked = ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;

  std::unique_ptr<JournalOwner> out(new JournalOwner(path, std::move(self), std::move(options)));
  const OwnerOptions& o = out->options_;
  std::optional<OwnerRecord> owner;
  if (auto text = read_text(path, kMostText)) {
    if (auto parsed = parse_owner(*text)) owner = *parsed;
  }
  if (locked && !o.takeover) return in_use(journal_path, owner ? named(*owner) : "another process");
  if (owner) {
    out->earlier_epoch_ = owner->epoch;
    const bool same_host = owner->host == out->self_.host;
    const bool other_boot = same_host && owner->boot_id != out->self_.boot_id;
    const bool dead = other_boot || (same_host && !is_running(*owner));
    if (!dead && !o.takeover && same_host) return in_use(journal_path, named(*owner));
    if (!dead) out->may_have_rival_ = true;
    if (!dead && !o.takeover) {
      if (auto silent = wait_for_silence(path, journal_path, *owner, o); !silent) return silent.error();
    }
  }
  out->may_have_rival_ = out->may_have_rival_ || locked;
  out->lock_ = std::move(lock);
  return out;
}

Result<void> JournalOwner::begin(uint64_t epoch) {
  self_.epoch = epoch;
  if (auto written = write(); !written) return written;
  last_look_ = steady_time();
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
  return {};
}

JournalOwner::~JournalOwner() {
  if (!thread_.joinable()) {
    if (lock_.valid()) ::unlink((path_ + ".lock").c_str());
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
  look();
  const std::lock_guard lock(mutex_);
  if (replaced_) return;
  ::unlink(path_.c_str());  // one that stays is found to be dead by the next
  ::unlink((path_ + ".lock").c_str());
}

Result<void> JournalOwner::write() {
  ++self_.beat;
  return replace_text(path_, owner_text(self_));
}

// On a full disk, too: whoever does not beat is taken for dead.
void JournalOwner::beat() {
  if (write()) return;
  auto there = read_text(path_, kMostText);
  const auto owner = there ? parse_owner(*there) : Result<OwnerRecord>(Error());
  const std::string text = owner_text(self_);
  if (!owner || owner->token != self_.token || there->size() != text.size()) return;
  (void)overwrite_text(path_, text);  // one that fails is made up for by the next; others wait for many
}

// A file that can't be read now proves nothing; one that is gone is written again.
void JournalOwner::look() {
  auto text = read_text(path_, kMostText);
  const auto owner = text ? parse_owner(*text) : Result<OwnerRecord>(Error());
  const std::lock_guard lock(mutex_);
  // A lower epoch is the last word of somebody whom we have replaced.
  if (owner && owner->token != self_.token && owner->epoch >= self_.epoch) replaced_ = true;
  if (owner) last_look_ = steady_time();
}

void JournalOwner::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, options_.beat, [&] { return ending_; })) {
    if (replaced_) continue;
    lock.unlock();
    look();
    lock.lock();
    if (replaced_) continue;
    lock.unlock();
    beat();
    lock.lock();
  }
}

bool JournalOwner::still_ours() {
  {
    const std::lock_guard lock(mutex_);
    if (replaced_) return false;
    // We may have been stopped for as long as it takes to be replaced.
    if (steady_time() - last_look_ < 2 * options_.beat) return true;
  }
  look();
  const std::lock_guard lock(mutex_);
  return !replaced_;
}

}  // namespace hq
