#include <doctest/doctest.h>
#include <poll.h>

#include <cerrno>

#include "hq/stream/output_peek.h"
#include "samples.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

PeekTarget file_target(const std::string& path) {
  PeekTarget target;
  target.path = path;
  return target;
}

}  // namespace

TEST_CASE("a piece of a file, and how long it is") {
  TempDir dir;
  write_file(dir / "f", "0123456789");

  const Peeked piece = peek_now(PeekId(1), file_target(dir / "f"), {4, false, 3});
  CHECK(piece.bytes == "456");
  CHECK(piece.position == 4);
  CHECK(piece.length == 10);
  CHECK(peek_now(PeekId(2), file_target(dir / "f"), {0, true, 4}).bytes == "6789");
  CHECK(peek_now(PeekId(3), file_target(dir / "f"), {0, true, 40}).bytes == "0123456789");
  CHECK(peek_now(PeekId(4), file_target(dir / "f"), {40, false, 4}).bytes.empty());
  CHECK(peek_now(PeekId(5), file_target(dir / "none"), {0, false, 4}).errnum == ENOENT);
  CHECK(peek_now(PeekId(6), file_target(dir.path()), {0, false, 4}).errnum == EINVAL);
}

TEST_CASE("a piece of a stream, from wherever its records are") {
  TempDir dir;
  for (int level : {0, 3}) {
    StreamWriter writer(sample_header(), level);
    put_sample(writer);
    std::string many;
    for (int i = 0; i < 500; ++i) {
      many += std::to_string(i) + " ";
      writer.put(chunk(key(2, 1), kOut), std::to_string(i) + " ");
      writer.put(chunk(key(2, 2), kOut), "between");
    }
    write_file(dir / "f.hqs", take(writer));

    for (const auto kind : {PeekTarget::Kind::kLog, PeekTarget::Kind::kDirectory}) {
      PeekTarget target;
      target.kind = kind;
      target.path = kind == PeekTarget::Kind::kLog ? dir / "f.hqs" : dir.path();
      target.server_uid = "abcdef";
      target.key = key(2, 1);
      for (uint64_t position : {uint64_t{0}, uint64_t{1}, uint64_t{700}, uint64_t(many.size() - 1)}) {
        const Peeked piece = peek_now(PeekId(1), target, {position, false, 100});
        CHECK(piece.errnum == 0);
        CHECK(piece.bytes == many.substr(position, 100));
        CHECK(piece.length == many.size());
      }
      CHECK(peek_now(PeekId(2), target, {0, true, 30}).bytes == many.substr(many.size() - 30));
      target.key = key(9, 9);
      CHECK(peek_now(PeekId(3), target, {0, false, 30}).length == 0);
    }
  }
}

TEST_CASE("looks are answered by threads") {
  TempDir dir;
  write_file(dir / "f", "content");
  auto peeker = make_output_peeker();
  REQUIRE(peeker.ok());
  for (uint64_t i = 1; i <= 40; ++i) (*peeker)->look(PeekId(i), file_target(dir / "f"), {0, false, 100});
  size_t answered = 0;
  while (answered < 40) {
    pollfd fd{(*peeker)->event_fd(), POLLIN, 0};
    REQUIRE(::poll(&fd, 1, 30'000) == 1);
    while (auto peeked = (*peeker)->next_peeked()) {
      CHECK(peeked->bytes == "content");
      ++answered;
    }
  }
  CHECK(answered == 40);
}
