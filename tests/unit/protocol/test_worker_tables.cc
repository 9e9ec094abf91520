#include <doctest/doctest.h>

#include "hq/protocol/limits.h"
#include "hq/protocol/worker_codec.h"
#include "support/protocol_samples.h"

using namespace hq;

namespace {

template <class M, class Message>
M through_from_worker(const Message& message) {
  return std::get<M>(decode_from_worker(encode(SessionId(1), message))->message);
}

}  // namespace

TEST_CASE("a started and ended task costs at most 45 bytes in a full report") {
  const Bytes frame = encode(SessionId(1), samples::report(limits::kReportTasks));

  CHECK(frame.size() <= 45 * limits::kReportTasks);
}

TEST_CASE("an empty report and an empty hello survive") {
  CHECK(through_from_worker<msg::Report>(msg::FromWorker(msg::Report{})) == msg::Report{});
  msg::Hello hello;
  hello.protocol = hello.min_protocol = 1;
  CHECK(through_from_worker<msg::Hello>(msg::FromWorker(hello)) == hello);
}

TEST_CASE("tasks of jobs that alternate keep their jobs") {
  msg::Report report;
  for (uint32_t i = 0; i < 9; ++i)
    report.started.push_back({JobId(1 + i % 2), TaskId(i), InstanceId(0), 0, 0});
  report.started.push_back({JobId(1), TaskId(9), InstanceId(0), 0, 0});

  CHECK(through_from_worker<msg::Report>(msg::FromWorker(report)) == report);
}

TEST_CASE("times that are no durations are sent as 0, long ones survive") {
  msg::Report report;
  report.started.push_back({JobId(1), TaskId(1), InstanceId(0), 0, -1.0F});
  report.started.push_back({JobId(1), TaskId(2), InstanceId(0), 0, 0.0F / 0.0F});
  report.started.push_back({JobId(1), TaskId(3), InstanceId(0), 0, 1e30F});
  report.started.push_back({JobId(1), TaskId(4), InstanceId(0), 0, 86'400.0F * 365});

  const auto back = through_from_worker<msg::Report>(msg::FromWorker(report)).started;

  CHECK(back[0].ago_s == 0);
  CHECK(back[1].ago_s == 0);
  CHECK(back[2].ago_s > 1e12F);
  CHECK(back[3].ago_s == 86'400.0F * 365);
}

TEST_CASE("the widest range of ids survives") {
  msg::CancelTasks cancel{JobId(1), {{0, UINT32_MAX, 1}, {1, UINT32_MAX, 2}, {UINT32_MAX, UINT32_MAX, 1}}};

  const auto back = decode_to_worker(encode(SessionId(1), msg::ToWorker(cancel)));

  REQUIRE(back.ok());
  CHECK(std::get<msg::CancelTasks>(back->message) == cancel);
}
