#include "os/launch_wire.h"

#include <doctest/doctest.h>

using namespace hq;
using launch_wire::Command;
using launch_wire::FrameBuffer;
using launch_wire::put_define;
using launch_wire::put_drop;
using launch_wire::put_event;
using launch_wire::put_fence;
using launch_wire::put_remove_file;
using launch_wire::put_start;
using launch_wire::read_command;
using launch_wire::read_report;
using launch_wire::Report;

namespace {

BytesView payload(const Bytes& frame) {
  return BytesView(frame).substr(sizeof(uint32_t));
}

Bytes start_frame() {
  LaunchRequest r;
  r.id = LaunchId(1ull << 40);
  r.base = TemplateId(3);
  r.env = {{"A", "1"}, {"B", std::string("x\0y", 3)}};
  r.cwd = "/somewhere";
  r.out = {OutputTarget::Kind::kFile, "out"};
  r.unlink_outputs_first = true;
  r.task_dir = "/tmp/t";
  r.cpus = {1, 5};
  r.after = LaunchId(9);
  Bytes frame;
  put_start(frame, r);
  return frame;
}

}  // namespace

TEST_CASE("a start request arrives as it was sent") {
  Bytes frame = start_frame();

  Command command;
  REQUIRE(read_command(payload(frame), command));

  CHECK(command.kind == launch_wire::Kind::kStart);
  const LaunchRequest& r = command.request;
  CHECK(r.id == LaunchId(1ull << 40));
  CHECK(r.env[1].second.size() == 3);
  CHECK(r.cwd == "/somewhere");
  CHECK(r.out.path == "out");
  CHECK(r.err.kind == OutputTarget::Kind::kNull);
  CHECK(r.unlink_outputs_first);
  CHECK(r.cpus == std::vector<int>{1, 5});
  CHECK(r.after == LaunchId(9));
}

TEST_CASE("no cut or stretched message is taken for a whole one") {
  Bytes frame = start_frame();
  Command command;

  for (size_t size = 0; size < payload(frame).size(); ++size) {
    CHECK_FALSE(read_command(payload(frame).substr(0, size), command));
  }
  CHECK_FALSE(read_command(payload(frame + "x"), command));
}

TEST_CASE("a count that the bytes cannot hold is refused before memory is taken for it") {
  Bytes frame;
  put_define(frame, TemplateId(1), LaunchTemplate{});
  constexpr size_t kCountAt = 4 + 1 + 4;
  frame.replace(kCountAt, 4, "\xff\xff\xff\xff");

  Command command;
  CHECK_FALSE(read_command(payload(frame), command));
}

TEST_CASE("an event arrives as it was sent") {
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kExited;
  event.id = LaunchId(5);
  event.ran = 17ms;
  event.signal = 9;
  event.usage = {1s, 2s, 4096};
  event.error_file = "text";
  event.error_file_present = true;
  Bytes frame;
  put_event(frame, event, TimePoint(7s));

  Report report;
  REQUIRE(read_report(payload(frame), report));

  REQUIRE(report.event.has_value());
  CHECK(report.at == TimePoint(7s));
  CHECK(report.event->ran == 17ms);
  CHECK(report.event->usage.system == 2s);
  CHECK(report.event->error_file == "text");
}

TEST_CASE("frames are found however the bytes are cut") {
  Bytes all;
  put_drop(all, LaunchId(1));
  put_remove_file(all, "/a/file");
  put_fence(all, 3s);
  FrameBuffer buffer;
  std::vector<launch_wire::Kind> kinds;

  for (char byte : all) {
    buffer.append(&byte, 1);
    while (auto frame = buffer.next()) {
      Command command;
      REQUIRE(read_command(*frame, command));
      kinds.push_back(command.kind);
    }
  }

  using K = launch_wire::Kind;
  CHECK(kinds == std::vector<K>{K::kDrop, K::kRemoveFile, K::kFence});
  CHECK_FALSE(buffer.broken());
  buffer.append("\xff\xff\xff\xff", 4);
  CHECK(buffer.next() == std::nullopt);
  CHECK(buffer.broken());
}
