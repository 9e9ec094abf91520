// What a script may write: requests built with msgpack, as any language would.
#include <doctest/doctest.h>

#include <functional>

#include "hq/core/text/placeholders.h"
#include "hq/protocol/client_codec.h"
#include "protocol/wire_writer.h"

using namespace hq;

namespace {

using Write = std::function<void(WireWriter&)>;
struct Key {
  std::string name;
  Write value;
};

Write text(std::string v) {
  return [=](WireWriter& w) { w.str(v); };
}
Write number(int64_t v) {
  return [=](WireWriter& w) { w.sint(v); };
}
Write real(double v) {
  return [=](WireWriter& w) { w.f64(v); };
}
Write flag(bool v) {
  return [=](WireWriter& w) { w.boolean(v); };
}
Write nil() {
  return [](WireWriter& w) { w.nil(); };
}
Write list(std::vector<Write> items) {
  return [=](WireWriter& w) {
    w.array(items.size());
    for (const Write& item : items) item(w);
  };
}
Write map(std::vector<Key> keys) {
  return [=](WireWriter& w) {
    w.map(keys.size());
    for (const Key& key : keys) {
      w.str(key.name);
      key.value(w);
    }
  };
}

Bytes bytes_of(const Write& value) {
  WireWriter w;
  value(w);
  return w.take();
}

Result<msg::Submit> submit(std::vector<Key> keys) {
  keys.push_back({"type", text("submit")});
  keys.push_back({"id", number(5)});
  auto decoded = decode_request(bytes_of(map(keys)));
  if (!decoded) return std::move(decoded.error());
  return std::get<msg::Submit>(std::move(decoded->message));
}

Result<msg::Submit> submit_task(std::vector<Key> keys) {
  return submit({{"task", map(std::move(keys))}});
}

std::string error_of(const Result<msg::Submit>& result) {
  return result ? "no error" : result.error().message;
}

}  // namespace

TEST_CASE("a submit of only a command is one task with the defaults") {
  const auto got = submit_task({{"args", list({text("./a"), text("b")})}});

  REQUIRE_MESSAGE(got.ok(), got.error().message);
  CHECK(got->submit.ids == IdArray::single(0));
  TaskDescription expected;
  expected.program.args = {"./a", "b"};
  expected.program.stdout_spec.path = kDefaultStdout;
  expected.program.stderr_spec.path = kDefaultStderr;
  expected.program.cwd = kDefaultCwd;
  CHECK(got->submit.task == expected);
  CHECK_FALSE(got->ids_after_existing);
}

TEST_CASE("very many entries take their frame with them, and all else stays what it is") {
  constexpr size_t kEntries = 300'000;
  msg::Submit message;
  message.name = "lines";
  message.submit.submit_dir = "/home/ann";
  message.submit.task.program.args = {"./a"};
  message.submit.ids = IdArray::consecutive(0, kEntries);
  message.submit.entries.emplace();
  for (size_t i = 0; i < kEntries; ++i) message.submit.entries->add(std::to_string(i * i));
  Bytes frame = encode(RequestId(3), message);
  const char* const place = frame.data();

  auto got = take_request(frame);

  REQUIRE(got);
  CHECK(got->id == RequestId(3));
  const auto& taken = std::get<msg::Submit>(got->message);
  CHECK(taken == message);
  CHECK(taken.submit.entries->blob.data() == place);

  message.submit.task.program.stdin_data.assign(8 << 20, 'x');  // the frame is mostly something else
  frame = encode(RequestId(3), message);
  const Bytes before = frame;
  CHECK(std::get<msg::Submit>(take_request(frame)->message) == message);
  CHECK(frame == before);

  message.submit.task.program.stdin_data.clear();
  message.submit.entries->ends.back() = 7;
  frame = encode(RequestId(3), message);
  const size_t size = frame.size();
  CHECK_FALSE(take_request(frame));
  CHECK(frame.size() == size);  // its sender is to be answered
}

TEST_CASE("a submit into an open job without ids gets ids behind the existing ones") {
  CHECK(submit({{"job", number(3)}})->ids_after_existing);
  CHECK_FALSE(submit({{"job", number(3)}, {"ids", list({number(4)})}})->ids_after_existing);
}

TEST_CASE("ids are a number, a list or a text") {
  IdArray expected;
  expected.parts = {{{1, 9, 2}, 10}, {{20, 20, 1}, 20}, {{30, 32, 1}, 32}};
  const auto listed =
      list({list({number(1), number(10), number(2)}), number(20), list({number(30), number(32)})});

  CHECK(submit({{"ids", listed}})->submit.ids == expected);
  CHECK(submit({{"ids", text("1-10:2,20,30-32")}})->submit.ids == expected);
  CHECK(submit({{"ids", number(7)}})->submit.ids == IdArray::single(7));
}

TEST_CASE("a range of one member is that member, whatever its bound and step") {
  CHECK(submit({{"ids", list({list({number(5), number(6), number(3)})})}})->submit.ids == IdArray::single(5));
}

TEST_CASE("ids that are no ranges, or overlap, are refused") {
  CHECK(error_of(submit({{"ids", list({list({number(3), number(2)})})}})) == "submit.ids[0]: not a range");
  CHECK(error_of(submit({{"ids", list({list({number(3), number(4), number(0)})})}})) ==
        "submit.ids[0]: not a range");
  CHECK(error_of(submit({{"ids", list({number(-1)})}})) ==
        "submit.ids[0]: expected an id or [first, last, step]");
  CHECK(error_of(submit({{"ids", list({list({number(1), number(9)}), number(5)})}})) ==
        "submit.ids: ranges overlap");
  CHECK(error_of(submit({{"ids", text("1-")}})).find("submit.ids: ") == 0);
}

TEST_CASE("entries are a list of strings, and give the ids when there are none") {
  const auto got = submit({{"entries", list({text("one"), text(""), text("three")})}});

  REQUIRE_MESSAGE(got.ok(), got.error().message);
  CHECK(got->submit.ids == IdArray::consecutive(0, 3));
  CHECK(got->submit.entries->at(0) == "one");
  CHECK(got->submit.entries->at(1).empty());
  CHECK(got->submit.entries->at(2) == "three");
}

TEST_CASE("entries that went ahead count as the submit's own") {
  const auto some = submit({{"entries", list({text("three")})}, {"uploaded", number(2)}});
  REQUIRE_MESSAGE(some.ok(), some.error().message);
  CHECK(some->submit.ids == IdArray::consecutive(0, 3));
  const auto all = submit({{"uploaded", number(2)}});
  REQUIRE_MESSAGE(all.ok(), all.error().message);
  CHECK(all->submit.ids == IdArray::consecutive(0, 2));
  CHECK_FALSE(all->submit.entries);

  CHECK(error_of(submit({{"uploaded", number(2)}, {"ids", text("1-3")}})) ==
        "submit: 'entries' and 'ids' differ in number");
  CHECK(error_of(submit({{"uploaded", number(0xffff'ffff)}, {"entries", list({text("one")})}})) ==
        "submit: too many entries");
  CHECK(error_of(submit({{"graph", list({map({{"id", number(1)}})})}, {"uploaded", number(1)}})) ==
        "submit: a graph has neither 'ids' nor 'entries'");
}

TEST_CASE("entries must be as many as ids, and ends must fit the blob") {
  CHECK(error_of(submit({{"entries", list({text("one")})}, {"ids", text("1-2")}})) ==
        "submit: 'entries' and 'ids' differ in number");
  CHECK(error_of(submit({{"entries", list({text("one"), number(3)})}})) ==
        "submit.entries[1]: expected a string");
  const auto ends_beyond = map({{"blob", text("abc")}, {"ends", text(std::string("\4\0\0\0", 4))}});
  CHECK(error_of(submit({{"entries", ends_beyond}})) ==
        "submit.entries: 'ends' do not ascend to the size of 'blob'");
  const auto falling = map({{"blob", text("abc")}, {"ends", text(std::string("\4\0\0\0\3\0\0\0", 8))}});
  CHECK(error_of(submit({{"entries", falling}})) ==
        "submit.entries: 'ends' do not ascend to the size of 'blob'");
}

TEST_CASE("amounts are units: an integer, a fraction or exact text") {
  const auto with_amount = [](Write amount) {
    return submit_task({{"resources", list({map({{"name", text("gpus")}, {"amount", amount}})})}});
  };
  const auto scaled = [&](Write amount) {
    return with_amount(amount)->submit.task.request.variants[0].entries[1].amount.scaled;
  };

  CHECK(scaled(number(2)) == 20'000);
  CHECK(scaled(real(0.5)) == 5'000);
  CHECK(scaled(real(0.1)) == 1'000);
  CHECK(scaled(text("12.0625")) == 120'625);
  for (const auto& wrong : {number(-1), real(-0.5), real(1e300), real(0.0 / 0.0), text("1.23456"), text("x"),
                            text("."), text(""), text("1."), text("-1"), number(INT64_MAX), nil()}) {
    CHECK(error_of(with_amount(wrong)) ==
          "submit.task.resources[0].amount: expected a number of units, 0 or more");
  }
}

TEST_CASE("the short form of a request gets one cpu unless cpus are named") {
  const auto gpus =
      submit_task({{"resources", list({map({{"name", text("gpus")}, {"amount", number(1)}})})}});
  const auto cpus =
      submit_task({{"resources", list({map({{"name", text("cpus")}, {"policy", text("all")}})})}});

  ResourceVariant both;
  both.entries = {{"cpus", Amount::units(1), Policy::kCompact}, {"gpus", Amount::units(1), Policy::kCompact}};
  CHECK(gpus->submit.task.request.variants == std::vector{both});
  ResourceVariant all;
  all.entries = {{"cpus", Amount(), Policy::kAll}};
  CHECK(cpus->submit.task.request.variants == std::vector{all});
}

TEST_CASE("variants are taken as they are, but not beside the short form, and not empty") {
  const auto variant = map({{"nodes", number(2)}, {"min_time", number(60)}, {"weight", real(1.5)}});
  const auto got = submit_task({{"variants", list({variant})}});

  REQUIRE_MESSAGE(got.ok(), got.error().message);
  const ResourceVariant& v = got->submit.task.request.variants[0];
  CHECK(v.nodes == 2);
  CHECK(v.entries.empty());
  CHECK(v.min_time == 60s);
  CHECK(v.weight == 15'000);
  CHECK(error_of(submit_task({{"variants", list({variant})}, {"resources", list({})}})) ==
        "submit.task: either 'resources' or 'variants'");
  CHECK(error_of(submit_task({{"variants", list({})}})) == "submit.task: 'variants' is empty");
}

TEST_CASE("a channel is a path, nil for the null device, or a map") {
  const auto got = submit_task({{"stdout", text("out.txt")}, {"stderr", nil()}});
  CHECK(got->submit.task.program.stdout_spec == StdioSpec{StdioSpec::Kind::kFile, "out.txt", false});
  CHECK(got->submit.task.program.stderr_spec == StdioSpec{StdioSpec::Kind::kNull, "", false});

  const auto mapped =
      submit_task({{"stdout", map({{"kind", text("stream")}})},
                   {"stderr", map({{"path", text("e")}, {"remove_if_finished", flag(true)}})}});
  CHECK(mapped->submit.task.program.stdout_spec.kind == StdioSpec::Kind::kStream);
  CHECK(mapped->submit.task.program.stderr_spec == StdioSpec{StdioSpec::Kind::kFile, "e", true});
  CHECK(error_of(submit_task({{"stdout", number(3)}})) ==
        "submit.task.stdout: expected a path, nil or a map");
}

TEST_CASE("the environment is a map and comes out sorted") {
  const auto got = submit_task({{"env", map({{"B", text("2")}, {"A", text("1")}})}});
  CHECK(got->submit.task.program.env ==
        std::vector<std::pair<std::string, std::string>>{{"A", "1"}, {"B", "2"}});

  CHECK(error_of(submit_task({{"env", map({{"A", text("2")}, {"A", text("1")}})}})) ==
        "submit.task.env: a variable is named twice");
}

TEST_CASE("a crash limit is a count or a word") {
  const auto limit = [](Write v) { return submit_task({{"crash_limit", v}}); };

  CHECK(limit(number(3))->submit.task.crash_limit.value == 3);
  CHECK(limit(text("never-restart"))->submit.task.crash_limit.value == CrashLimit::kNeverRestart);
  CHECK(limit(text("unlimited"))->submit.task.crash_limit.value == CrashLimit::kUnlimited);
  CHECK(error_of(limit(number(0))) ==
        "submit.task.crash_limit: expected an integer from 1 to 65535, 'never-restart' or 'unlimited'");
}

TEST_CASE("durations are seconds, whole or not") {
  CHECK(submit_task({{"time_limit", number(90)}})->submit.task.time_limit == 90s);
  CHECK(submit_task({{"time_limit", real(0.25)}})->submit.task.time_limit == 250ms);
  CHECK(submit_task({{"time_limit", nil()}})->submit.task.time_limit == std::nullopt);
  CHECK(submit_task({{"time_limit", real(1e300)}})->submit.task.time_limit == Duration::max());
  CHECK(error_of(submit_task({{"time_limit", real(-1)}})) ==
        "submit.task.time_limit: expected a number of seconds, 0 or more");
}

TEST_CASE("a wrong type is refused by the name of the field") {
  CHECK(error_of(submit({{"name", number(3)}})) == "submit.name: expected a string");
  CHECK(error_of(submit({{"max_fails", text("3")}})) ==
        "submit.max_fails: expected an integer from 0 to 4294967295");
  CHECK(error_of(submit_task({{"args", text("./a b")}})) == "submit.task.args: expected a list");
  CHECK(error_of(submit_task({{"args", list({text("./a"), number(3)})}})) ==
        "submit.task.args[1]: expected a string");
  CHECK(error_of(submit_task({{"pin", text("hard")}})) ==
        "submit.task.pin: expected one of 'none', 'taskset', 'omp'");
  CHECK(error_of(submit_task({{"priority", number(1LL << 40)}})) ==
        "submit.task.priority: expected an integer from -2147483648 to 2147483647");
  CHECK(error_of(submit({{"task", list({})}})) == "submit.task: expected a map");
  CHECK(error_of(submit({{"graph", list({map({{"id", number(-1)}})})}})) ==
        "submit.graph[0].id: expected an integer from 0 to 4294967295");
}

TEST_CASE("a graph has neither ids nor entries") {
  const auto graph = list({map({{"id", number(1)}}), map({{"id", number(2)}, {"deps", list({number(1)})}})});

  const auto got = submit({{"graph", graph}});
  REQUIRE_MESSAGE(got.ok(), got.error().message);
  CHECK(got->submit.graph[1].deps == std::vector{TaskId(1)});
  CHECK(got->submit.ids.empty());
  CHECK(error_of(submit({{"graph", graph}, {"ids", number(1)}})) ==
        "submit: a graph has neither 'ids' nor 'entries'");
}

TEST_CASE("unknown keys are ignored, wherever they are") {
  const auto got = submit({{"later", map({{"x", list({nil()})}})}, {"name", text("n")}});

  REQUIRE(got.ok());
  CHECK(got->name == "n");
}

TEST_CASE("a selection is last, all, or ids") {
  const auto jobs = [](Write v) {
    const auto got =
        decode_request(bytes_of(map({{"id", number(1)}, {"type", text("close_jobs")}, {"jobs", v}})));
    REQUIRE_MESSAGE(got.ok(), got.error().message);
    return std::get<msg::CloseJobs>(got->message).jobs;
  };

  CHECK(jobs(text("last")).kind == msg::Selection::Kind::kLast);
  CHECK(jobs(text("all")).kind == msg::Selection::Kind::kAll);
  CHECK(jobs(number(4)).ids == IdArray::single(4));
  CHECK(jobs(list({number(4)})).ids == IdArray::single(4));
  CHECK(jobs(text("2-3")).ids == IdArray::consecutive(2, 2));
}

TEST_CASE("an unknown or missing type is named, and the id can still be read for the answer") {
  const Bytes unknown = bytes_of(map({{"type", text("fly")}, {"id", number(42)}}));
  CHECK(decode_request(unknown).error().message == "request.type: unknown type 'fly'");
  CHECK(request_id_of(unknown) == RequestId(42));

  CHECK(decode_request(bytes_of(map({{"id", number(1)}}))).error().message ==
        "request.type: unknown type ''");
  CHECK(decode_request(bytes_of(list({}))).error().message == "request: expected a map");
  CHECK(decode_request(bytes_of(map({{"id", text("x")}}))).error().message ==
        "request.id: expected an integer from 0 to 18446744073709551615");
  CHECK(request_id_of(bytes_of(map({{"id", text("x")}}))) == RequestId(0));
  CHECK(request_id_of("") == RequestId(0));
}

TEST_CASE("each message says its type") {
  CHECK(type_name(msg::ClientRequest(msg::CancelJobs{})) == "cancel_jobs");
  CHECK(type_name(msg::ClientReply(msg::JobDetail{})) == "job_detail");
}

TEST_CASE("a task table whose columns differ in length, or refer to no row, is refused") {
  const auto page = [](std::vector<Key> columns) {
    return decode_reply(
        bytes_of(map({{"id", number(1)}, {"type", text("task_page")}, {"tasks", map(std::move(columns))}})));
  };
  const Key ids{"id", list({number(1), number(2)})};

  const auto good = page({ids, {"state", list({text("waiting"), text("failed")})}, {"later", nil()}});
  REQUIRE_MESSAGE(good.ok(), good.error().message);
  CHECK(std::get<msg::TaskPage>(good->message).tasks[1].state == TaskState::kFailed);
  CHECK(page({ids, {"state", list({text("waiting")})}}).error().message ==
        "task_page.tasks.state: not as long as 'id'");
  CHECK(page({ids, {"failures", list({map({{"row", number(2)}})})}}).error().message ==
        "task_page.tasks.failures: no such row");
  CHECK(page({ids, {"last", list({number(1), number(1)})}}).error().message ==
        "task_page.tasks: 'id', 'last' and 'step' are no ranges");
  CHECK(page({}).error().message == "task_page.tasks: needs 'id'");
}

TEST_CASE("a job list is read in whatever order its keys come, and with keys missing") {
  const Write counts = map({{"finished", number(2)}});
  const auto reply = [](std::vector<Key> job) {
    return decode_reply(bytes_of(
        map({{"type", text("job_list")}, {"jobs", list({map(std::move(job))})}, {"id", number(9)}})));
  };

  const auto got = reply({{"name", text("n")}, {"counts", counts}, {"new", nil()}, {"id", number(4)}});
  REQUIRE_MESSAGE(got.ok(), got.error().message);
  CHECK(got->id == RequestId(9));
  const msg::JobSummary& job = std::get<msg::JobList>(got->message).jobs.at(0);
  CHECK(job.id == JobId(4));
  CHECK(job.name == "n");
  CHECK(job.counts[size_t(TaskState::kFinished)] == 2);

  CHECK(reply({{"id", text("four")}}).error().message ==
        "job_list.jobs[0].id: expected an integer from 0 to 4294967295");
  CHECK(reply({{"counts", number(1)}}).error().message == "job_list.jobs[0].counts: expected a map");
}
