// A disk in memory that is as bad as real ones: it fails at the operation one asks for, a failed sync loses
// its pages for good, and a crash keeps of what was not synced any prefix, the last write torn. There are two
// directories, "." and "d". test_disk_conformance.cc holds it to the real disk.
#pragma once

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "hq/base/random.h"
#include "journal/disk.h"

namespace hq::test {

class FakeDisk final : public Disk {
 public:
  // The n-th operation from now on (1 = the next) fails with this error; with `lasting` all later ones do,
  // too, until heal().
  void fail_at(uint64_t n, int errnum, bool lasting) {
    const std::lock_guard lock(mutex_);
    fail_at_ = operations_ + n;
    errnum_ = errnum;
    lasting_ = lasting;
  }
  void heal() {
    const std::lock_guard lock(mutex_);
    fail_at_ = 0;
  }
  // Whoever creates this file waits, until release().
  void hold_create(const std::string& path) {
    const std::lock_guard lock(mutex_);
    held_path_ = path;
  }
  // Until somebody waits there.
  void await_held() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return somebody_held_; });
  }
  void release() {
    {
      const std::lock_guard lock(mutex_);
      held_path_.clear();
    }
    changed_.notify_all();
  }
  [[nodiscard]] uint64_t operations() const {
    const std::lock_guard lock(mutex_);
    return operations_;
  }
  [[nodiscard]] uint64_t syncs() const {
    const std::lock_guard lock(mutex_);
    return syncs_;
  }
  // What is left after the machine went down now. REQUIRES: nothing is open.
  void crash(Random& random) {
    const std::lock_guard lock(mutex_);
    for (Change& change : unsynced_names_) {
      if (random.chance(0.5)) break;  // names reach the disk in order
      change(durable_names_);
    }
    unsynced_names_.clear();
    names_ = durable_names_;
    for (auto& [path, inode] : names_) {
      Bytes content = inode->durable;
      for (Write& write : inode->unsynced) {
        if (random.chance(0.5)) write.bytes.resize(random.below(write.bytes.size() + 1));
        const bool torn = random.chance(0.3);
        put(content, write);
        if (torn) break;
      }
      inode->content = inode->durable = content;
      inode->unsynced.clear();
    }
  }
  [[nodiscard]] Bytes content(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    auto it = names_.find(path);
    return it == names_.end() ? Bytes() : it->second->content;
  }
  void set_content(const std::string& path, const Bytes& bytes) {
    const std::lock_guard lock(mutex_);
    auto& inode = names_[path];
    if (!inode) inode = std::make_shared<Inode>();
    inode->content = inode->durable = bytes;
    durable_names_[path] = inode;
  }
  [[nodiscard]] std::vector<std::string> paths() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [path, inode] : names_) out.push_back(path);
    return out;
  }
  bool can_reserve = true;
  std::atomic<uint64_t> free = uint64_t{1} << 40;  // asked for by the journal's own thread

  // --- Disk ---
  Result<std::unique_ptr<DiskFile>> open(const std::string& path, bool writable) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = operation()) return *failed;
    if (is_directory(path)) {
      if (writable) return os_error(EISDIR);
      return std::unique_ptr<DiskFile>(std::make_unique<Directory>());
    }
    auto it = names_.find(path);
    if (it == names_.end()) return os_error(ENOENT);
    return std::unique_ptr<DiskFile>(std::make_unique<File>(*this, it->second, writable));
  }
  Result<std::unique_ptr<DiskFile>> create(const std::string& path) override {
    std::unique_lock lock(mutex_);
    if (path == held_path_) {
      somebody_held_ = true;
      changed_.notify_all();
      changed_.wait(lock, [&] { return held_path_.empty(); });
    }
    if (auto failed = operation()) return *failed;
    if (names_.contains(path) || is_directory(path)) return os_error(EEXIST);
    if (!is_directory(split_path(path).directory)) return os_error(ENOENT);
    auto inode = std::make_shared<Inode>();
    names_[path] = inode;
    unsynced_names_.push_back([=](Names& names) { names[path] = inode; });
    return std::unique_ptr<DiskFile>(std::make_unique<File>(*this, inode, true));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = operation()) return *failed;
    auto it = names_.find(from);
    if (it == names_.end() || !is_directory(split_path(to).directory)) return os_error(ENOENT);
    auto inode = it->second;
    names_.erase(it);
    names_[to] = inode;
    unsynced_names_.push_back([=](Names& names) {
      names.erase(from);
      names[to] = inode;
    });
    return {};
  }
  Result<void> remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = operation()) return *failed;
    if (names_.erase(path) == 0) return os_error(ENOENT);
    unsynced_names_.push_back([=](Names& names) { names.erase(path); });
    return {};
  }
  Result<void> sync_directory(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = operation()) return *failed;
    if (!is_directory(path)) return os_error(ENOENT);
    for (Change& change : unsynced_names_) change(durable_names_);
    unsynced_names_.clear();
    return {};
  }
  Result<uint64_t> free_bytes(const std::string&) override { return free.load(); }
  Result<std::vector<std::string>> list(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (auto failed = operation()) return *failed;
    if (!is_directory(path)) return os_error(ENOENT);
    std::vector<std::string> out;
    for (const auto& [name, inode] : names_) {
      const SplitPath split = split_path(name);
      if (split.directory == path) out.push_back(split.name);
    }
    return out;
  }

 private:
  struct Write {
    uint64_t offset = 0;
    Bytes bytes;
    std::optional<uint64_t> cut;  // a truncation
  };
  struct Inode {
    Bytes content;  // as readers see it
    Bytes durable;
    std::vector<Write> unsynced;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  using Change = std::function<void(Names&)>;

  class File final : public DiskFile {
   public:
    File(FakeDisk& disk, std::shared_ptr<Inode> inode, bool writable)
        : disk_(disk), inode_(std::move(inode)), writable_(writable) {}
    Result<size_t> read_at(uint64_t offset, char* to, size_t size) override {
      const std::lock_guard lock(disk_.mutex_);
      if (auto failed = disk_.operation()) return *failed;
      if (offset >= inode_->content.size()) return size_t{0};
      const size_t n = std::min<size_t>(size, inode_->content.size() - offset);
      std::memcpy(to, inode_->content.data() + offset, n);
      return n;
    }
    Result<void> write_at(uint64_t offset, BytesView bytes) override {
      const std::lock_guard lock(disk_.mutex_);
      if (!writable_) return os_error(EBADF);
      if (auto failed = disk_.operation()) {
        write({offset, Bytes(bytes.substr(0, bytes.size() / 2)), {}});  // some of it was
        return *failed;
      }
      write({offset, Bytes(bytes), {}});
      return {};
    }
    Result<void> sync() override {
      const std::lock_guard lock(disk_.mutex_);
      ++disk_.syncs_;
      if (auto failed = disk_.operation()) {
        inode_->unsynced.clear();  // for good: the next sync knows nothing of them
        return *failed;
      }
      for (const Write& write : inode_->unsynced) put(inode_->durable, write);
      inode_->unsynced.clear();
      return {};
    }
    Result<bool> reserve(uint64_t end) override {
      const std::lock_guard lock(disk_.mutex_);
      if (auto failed = disk_.operation()) return *failed;
      if (end > disk_.free) return os_error(ENOSPC);
      return disk_.can_reserve;
    }
    Result<void> truncate(uint64_t size) override {
      const std::lock_guard lock(disk_.mutex_);
      if (!writable_) return os_error(EINVAL);
      if (auto failed = disk_.operation()) return *failed;
      write({0, {}, size});
      return {};
    }
    Result<uint64_t> size() override {
      const std::lock_guard lock(disk_.mutex_);
      return uint64_t(inode_->content.size());
    }

   private:
    void write(Write write) {
      put(inode_->content, write);
      inode_->unsynced.push_back(std::move(write));
    }
    FakeDisk& disk_;
    std::shared_ptr<Inode> inode_;
    bool writable_;
  };

  // As one that was opened for reading.
  class Directory final : public DiskFile {
   public:
    Result<size_t> read_at(uint64_t, char*, size_t) override { return os_error(EISDIR); }
    Result<void> write_at(uint64_t, BytesView) override { return os_error(EBADF); }
    Result<void> sync() override { return {}; }
    Result<bool> reserve(uint64_t) override { return os_error(EBADF); }
    Result<void> truncate(uint64_t) override { return os_error(EINVAL); }
    Result<uint64_t> size() override { return os_error(EISDIR); }
  };
  static bool is_directory(const std::string& path) { return path == "." || path == "d"; }

  static void put(Bytes& content, const Write& write) {
    if (write.cut) return content.resize(*write.cut);
    if (write.bytes.empty()) return;
    if (content.size() < write.offset + write.bytes.size()) content.resize(write.offset + write.bytes.size());
    content.replace(write.offset, write.bytes.size(), write.bytes);
  }
  std::optional<Error> operation() {
    ++operations_;
    if (fail_at_ == 0) return std::nullopt;
    if (operations_ == fail_at_ || (lasting_ && operations_ > fail_at_)) return os_error(errnum_);
    return std::nullopt;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string held_path_;
  bool somebody_held_ = false;
  Names names_;
  Names durable_names_;
  std::vector<Change> unsynced_names_;
  uint64_t operations_ = 0;
  uint64_t syncs_ = 0;
  uint64_t fail_at_ = 0;
  int errnum_ = 0;
  bool lasting_ = false;
};

}  // namespace hq::test
