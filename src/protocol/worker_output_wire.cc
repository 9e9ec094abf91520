// Messages about output that the server keeps, and looks at output.
#include "protocol/worker_wire.h"

namespace hq {

void put_fields(WireWriter& w, const msg::OutputHello& m) {
  w.uint(m.worker_uid.value);
  w.uint(m.counter);
}

Result<void> read_fields(WireReader& r, msg::OutputHello& m) {
  m.worker_uid = WorkerUid(read_u64(r, "worker_uid"));
  m.counter = read_u64(r, "counter");
  return {};
}

void put_fields(WireWriter& w, const msg::OutputWelcome& m) {
  w.uint(m.last);
  w.uint(m.window);
  w.array(m.pending.size());
  for (uint64_t number : m.pending) w.uint(number);
}

Result<void> read_fields(WireReader& r, msg::OutputWelcome& m) {
  m.last = read_u64(r, "last");
  m.window = read_u64(r, "window");
  const uint32_t count = r.array("pending");
  for (uint32_t i = 0; i < count && r.ok(); ++i) m.pending.push_back(read_u64(r, "pending"));
  return {};
}

void put_fields(WireWriter& w, const msg::OutputData& m) {
  w.uint(m.number);
  w.uint(m.job.value);
  w.uint(m.job_uid.value);
  w.text(m.log_path);
  w.text(m.records);
}

Result<void> read_fields(WireReader& r, msg::OutputData& m) {
  m.number = read_u64(r, "number");
  m.job = JobId(r.uint32("job"));
  m.job_uid = JobUid(read_u64(r, "job_uid"));
  m.log_path = r.text("log_path");
  m.records = r.text("records");
  return {};
}

void put_fields(WireWriter& w, const msg::OutputKept& m) {
  w.uint(m.number);
  w.uint(m.window);
  w.array(m.failures.size());
  for (const msg::OutputFailure& failure : m.failures) {
    w.array(3);
    w.uint(failure.task.value);
    w.uint(failure.instance.value);
    w.text(failure.why);
  }
}

Result<void> read_fields(WireReader& r, msg::OutputKept& m) {
  m.number = read_u64(r, "number");
  m.window = read_u64(r, "window");
  const uint32_t count = r.array("failures");
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    if (r.array("failures") != 3) r.fail("failures", "needs task, instance and cause");
    msg::OutputFailure& failure = m.failures.emplace_back();
    failure.task = TaskId(r.uint32("task"));
    failure.instance = InstanceId(r.uint32("instance"));
    failure.why = r.text("why");
  }
  return {};
}

void put_fields(WireWriter& w, const msg::PeekOutput& m) {
  w.uint(m.number);
  w.uint(m.kind);
  w.text(m.path);
  w.text(m.server_uid);
  w.uint(m.job.value);
  w.uint(m.task.value);
  w.uint(m.instance.value);
  w.uint(m.channel);
  w.uint(m.position);
  w.boolean(m.from_end);
  w.uint(m.most);
}

Result<void> read_fields(WireReader& r, msg::PeekOutput& m) {
  m.number = read_u64(r, "number");
  m.kind = uint8_t(r.uint("kind", 1));
  m.path = r.text("path");
  m.server_uid = r.text("server_uid");
  m.job = JobId(r.uint32("job"));
  m.task = TaskId(r.uint32("task"));
  m.instance = InstanceId(r.uint32("instance"));
  m.channel = uint8_t(r.uint("channel", 1));
  m.position = read_u64(r, "position");
  m.from_end = r.boolean("from_end");
  m.most = r.uint32("most");
  return {};
}

void put_fields(WireWriter& w, const msg::OutputPeeked& m) {
  w.uint(m.number);
  w.uint(m.position);
  w.uint(m.length);
  w.text(m.bytes);
  w.uint(uint64_t(uint32_t(m.errnum)));
}

Result<void> read_fields(WireReader& r, msg::OutputPeeked& m) {
  m.number = read_u64(r, "number");
  m.position = read_u64(r, "position");
  m.length = read_u64(r, "length");
  m.bytes = r.text("bytes");
  m.errnum = int32_t(r.uint("errnum", INT32_MAX));
  return {};
}

}  // namespace hq
