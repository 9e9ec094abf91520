// The contract of disk.h, kept by the machine's disk and by the fake that the other tests use: whatever the
// real one shows, the fake has to be able to show.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "fake_disk.h"
#include "hq/base/assert.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

struct RealWorld {
  TempDir dir;
  Disk& disk = system_disk();
  [[nodiscard]] std::string path(const std::string& name) const { return dir / name; }
  [[nodiscard]] std::string directory() const { return dir.path(); }

  // Runs `action` while no file can grow beyond `size`.
  template <class F>
  void with_files_limited(uint64_t size, F action) {
    rlimit before{};
    HQ_ASSERT(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limited{size, before.rlim_max};
    HQ_ASSERT(::setrlimit(RLIMIT_FSIZE, &limited) == 0);
    action();
    HQ_ASSERT(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    ::signal(SIGXFSZ, handler);
  }
};

struct FakeWorld {
  FakeDisk disk;
  [[nodiscard]] std::string path(const std::string& name) const { return "d/" + name; }
  [[nodiscard]] std::string directory() const { return "d"; }
  template <class F>
  void with_files_limited(uint64_t, F action) {
    disk.fail_at(1, EFBIG, true);
    action();
    disk.heal();
  }
};

std::string content_of(DiskFile& file) {
  std::string bytes(1 << 16, '?');
  auto size = file.read_at(0, bytes.data(), bytes.size());
  REQUIRE(size.ok());
  return bytes.substr(0, *size);
}

std::string content_at(Disk& disk, const std::string& path) {
  auto file = disk.open(path, false);
  REQUIRE(file.ok());
  return content_of(**file);
}

std::unique_ptr<DiskFile> create(Disk& disk, const std::string& path, BytesView bytes) {
  auto file = disk.create(path);
  REQUIRE(file.ok());
  REQUIRE((*file)->write_at(0, bytes).ok());
  return std::move(*file);
}

template <class T>
std::string error_of(const Result<T>& result) {
  return result.ok() ? "none" : result.error().message;
}
std::string text_of(int errnum) {
  return os_error(errnum).message;
}

}  // namespace

TEST_CASE_TEMPLATE("disk: what is written is read back, with zeros where nothing was written", World,
                   RealWorld, FakeWorld) {
  World world;
  auto file = create(world.disk, world.path("f"), "");

  CHECK(file->write_at(4, "abcdef").ok());
  CHECK(file->write_at(6, "XY").ok());

  CHECK(*file->size() == 10);
  CHECK(content_of(*file) == std::string("\0\0\0\0abXYef", 10));
  CHECK(content_at(world.disk, world.path("f")) == content_of(*file));
  char some[4] = {};
  CHECK(*file->read_at(8, some, sizeof some) == 2);
  CHECK(*file->read_at(10, some, sizeof some) == 0);
  CHECK(*file->read_at(1'000, some, sizeof some) == 0);
  CHECK(file->sync().ok());
}

TEST_CASE_TEMPLATE("disk: a file is cut, and grows again with zeros", World, RealWorld, FakeWorld) {
  World world;
  auto file = create(world.disk, world.path("f"), "abcdef");

  CHECK(file->truncate(2).ok());
  CHECK(content_of(*file) == "ab");
  CHECK(file->write_at(4, "z").ok());
  CHECK(content_of(*file) == std::string("ab\0\0z", 5));
  CHECK(file->truncate(7).ok());
  CHECK(content_of(*file) == std::string("ab\0\0z\0\0", 7));
}

TEST_CASE_TEMPLATE("disk: room that is reserved does not show", World, RealWorld, FakeWorld) {
  World world;
  auto file = create(world.disk, world.path("f"), "abc");

  CHECK(file->reserve(1 << 20).ok());
  CHECK(*file->size() == 3);
  CHECK(content_of(*file) == "abc");
  const auto too_much = file->reserve(uint64_t{1} << 60);
  CHECK_FALSE((too_much.ok() && *too_much));
  CHECK(*file->size() == 3);
  CHECK(file->write_at(3, "d").ok());
  CHECK(content_of(*file) == "abcd");
  CHECK(*world.disk.free_bytes(world.directory()) > 0);
}

TEST_CASE_TEMPLATE("disk: whatever is not there is an error that says so", World, RealWorld, FakeWorld) {
  World world;
  const std::string none = text_of(ENOENT);
  auto kept = create(world.disk, world.path("f"), "abc");

  CHECK(error_of(world.disk.open(world.path("g"), false)) == none);
  CHECK(error_of(world.disk.open(world.path("g"), true)) == none);
  CHECK(error_of(world.disk.remove(world.path("g"))) == none);
  CHECK(error_of(world.disk.rename(world.path("g"), world.path("h"))) == none);
  CHECK(error_of(world.disk.create(world.path("no/f"))) == none);
  CHECK(error_of(world.disk.rename(world.path("f"), world.path("no/f"))) == none);
  CHECK(error_of(world.disk.list(world.path("no"))) == none);
  CHECK(error_of(world.disk.sync_directory(world.path("no"))) == none);
  CHECK(error_of(world.disk.create(world.path("f"))) == text_of(EEXIST));
  CHECK(content_at(world.disk, world.path("f")) == "abc");
}

TEST_CASE_TEMPLATE("disk: a directory is no file", World, RealWorld, FakeWorld) {
  World world;

  CHECK(error_of(world.disk.open(world.directory(), true)) == text_of(EISDIR));
  auto opened = world.disk.open(world.directory(), false);
  REQUIRE(opened.ok());
  CHECK(error_of((*opened)->size()) == text_of(EISDIR));
  char byte = 0;
  CHECK(error_of((*opened)->read_at(0, &byte, 1)) == text_of(EISDIR));
  CHECK(error_of(world.disk.create(world.directory())) == text_of(EEXIST));
}

TEST_CASE_TEMPLATE("disk: a file opened for reading is not written", World, RealWorld, FakeWorld) {
  World world;
  create(world.disk, world.path("f"), "abc");
  auto file = world.disk.open(world.path("f"), false);
  REQUIRE(file.ok());

  CHECK(error_of((*file)->write_at(0, "x")) == text_of(EBADF));
  CHECK(error_of((*file)->truncate(0)) == text_of(EINVAL));
  CHECK(content_of(**file) == "abc");
}

TEST_CASE_TEMPLATE("disk: all who have a file open see what is written to it", World, RealWorld, FakeWorld) {
  World world;
  auto one = create(world.disk, world.path("f"), "abc");
  auto other = world.disk.open(world.path("f"), true);
  REQUIRE(other.ok());

  CHECK((*other)->write_at(1, "XYZ").ok());
  CHECK(content_of(*one) == "aXYZ");
  CHECK(one->truncate(1).ok());
  CHECK(content_of(**other) == "a");
}

TEST_CASE_TEMPLATE("disk: a renamed file takes the place of the other, which lives on for who has it open",
                   World, RealWorld, FakeWorld) {
  World world;
  auto old = create(world.disk, world.path("f"), "old");
  auto fresh = create(world.disk, world.path("f.new"), "new");

  CHECK(world.disk.rename(world.path("f.new"), world.path("f")).ok());
  CHECK(world.disk.sync_directory(world.directory()).ok());

  CHECK(content_at(world.disk, world.path("f")) == "new");
  CHECK(error_of(world.disk.open(world.path("f.new"), false)) == text_of(ENOENT));
  CHECK(fresh->write_at(3, "er").ok());
  CHECK(content_at(world.disk, world.path("f")) == "newer");
  CHECK(old->write_at(3, "er").ok());
  CHECK(content_of(*old) == "older");
  CHECK(content_at(world.disk, world.path("f")) == "newer");
}

TEST_CASE_TEMPLATE("disk: a removed file lives on for who has it open, and its name is free", World,
                   RealWorld, FakeWorld) {
  World world;
  auto old = create(world.disk, world.path("f"), "old");

  CHECK(world.disk.remove(world.path("f")).ok());
  auto fresh = create(world.disk, world.path("f"), "new");

  CHECK(old->write_at(0, "OLD").ok());
  CHECK(old->sync().ok());
  CHECK(content_of(*old) == "OLD");
  CHECK(content_at(world.disk, world.path("f")) == "new");
}

TEST_CASE_TEMPLATE("disk: the names of a directory are those of its files", World, RealWorld, FakeWorld) {
  World world;
  for (const char* name : {"a", "a.2", "b"}) create(world.disk, world.path(name), "x");
  CHECK(world.disk.remove(world.path("b")).ok());
  CHECK(world.disk.rename(world.path("a.2"), world.path("c")).ok());

  auto names = world.disk.list(world.directory());

  REQUIRE(names.ok());
  std::erase_if(*names, [](const std::string& name) { return name.starts_with("."); });
  std::sort(names->begin(), names->end());
  CHECK(*names == std::vector<std::string>{"a", "c"});
}

TEST_CASE_TEMPLATE("disk: of a write that fails, some may be there; the file can be written again", World,
                   RealWorld, FakeWorld) {
  World world;
  auto file = create(world.disk, world.path("f"), "head");
  const std::string more(100, 'm');

  Result<void> failed;
  world.with_files_limited(40, [&] { failed = file->write_at(4, more); });

  CHECK(error_of(failed) == text_of(EFBIG));
  const std::string left = content_of(*file);
  CHECK(left.size() > 4);
  CHECK(("head" + more).starts_with(left));
  CHECK(file->truncate(4).ok());
  CHECK(file->write_at(4, "!").ok());
  CHECK(content_of(*file) == "head!");
}
