// Messages about tasks, from their definition to their end.
#include <utility>

#include "hq/protocol/limits.h"
#include "protocol/columns.h"
#include "protocol/describe_core.h"
#include "protocol/worker_tables.h"
#include "protocol/worker_wire.h"

namespace hq {

void put_fields(WireWriter& w, const msg::Define& m) {
  HQ_ASSERT(m.task != nullptr);
  w.uint(m.definition.value);
  w.uint(m.job.value);
  w.uint(m.job_uid.value);
  w.text(m.server_uid);
  w.text(m.submit_dir);
  w.text(m.job_name);
  put(w, m.stream_path);
  put(w, *m.task);
  put(w, m.log_path);
}

Result<void> read_fields(WireReader& r, msg::Define& m) {
  m.definition = DefinitionId(r.uint32("definition"));
  m.job = JobId(r.uint32("job"));
  m.job_uid = JobUid(read_u64(r, "job_uid"));
  m.server_uid = r.text("server_uid");
  m.submit_dir = r.text("submit_dir");
  m.job_name = r.text("job_name");
  if (!r.take_nil()) m.stream_path = r.text("stream_path");
  TaskDescription task;
  auto described = read_map(r, "task", task);
  m.task = std::make_shared<const TaskDescription>(std::move(task));
  if (described && !r.take_nil()) m.log_path = r.text("log_path");
  return described;
}

void put_fields(WireWriter& w, const msg::Undefine& m) {
  put(w, m.definitions);
}

Result<void> read_fields(WireReader& r, msg::Undefine& m) {
  const uint32_t count = r.array("definitions");
  for (uint32_t i = 0; i < count && r.ok(); ++i) m.definitions.emplace_back(r.uint32("definitions"));
  return {};
}

void put_fields(WireWriter& w, const msg::RunTasks& m) {
  put_table(w, m.runs);
}

Result<void> read_fields(WireReader& r, msg::RunTasks& m) {
  read_table(r, m.runs);
  return {};
}

void put_fields(WireWriter& w, const msg::Retract& m) {
  w.uint(m.number);
  w.uint(m.definition.value);
  w.uint(m.count);
}

Result<void> read_fields(WireReader& r, msg::Retract& m) {
  m.number = read_u64(r, "number");
  m.definition = DefinitionId(r.uint32("definition"));
  m.count = r.uint32("count");
  return {};
}

void put_fields(WireWriter& w, const msg::Returned& m) {
  w.uint(m.retract);
  put_table(w, m.spans);
}

Result<void> read_fields(WireReader& r, msg::Returned& m) {
  m.retract = read_u64(r, "retract");
  read_table(r, m.spans);
  return {};
}

void put_fields(WireWriter& w, const msg::CancelTasks& m) {
  w.uint(m.job.value);
  put_table(w, m.ids);
}

Result<void> read_fields(WireReader& r, msg::CancelTasks& m) {
  m.job = JobId(r.uint32("job"));
  read_table(r, m.ids);
  return {};
}

void put_fields(WireWriter& w, const msg::Report& m) {
  w.uint(m.number);
  put_table(w, m.started);
  put_table(w, m.ended);
}

Result<void> read_fields(WireReader& r, msg::Report& m) {
  m.number = read_u64(r, "number");
  read_table(r, m.started);
  read_table(r, m.ended);
  return {};
}

void put_fields(WireWriter& w, const msg::Ack& m) {
  w.uint(m.report);
}

Result<void> read_fields(WireReader& r, msg::Ack& m) {
  m.report = read_u64(r, "report");
  return {};
}

void put_fields(WireWriter& w, const msg::Notice& m) {
  w.uint(m.number);
  w.uint(m.job.value);
  w.uint(m.task.value);
  w.uint(m.instance.value);
  w.text(m.text);
}

Result<void> read_fields(WireReader& r, msg::Notice& m) {
  m.number = read_u64(r, "number");
  m.job = JobId(r.uint32("job"));
  m.task = TaskId(r.uint32("task"));
  m.instance = InstanceId(r.uint32("instance"));
  m.text = r.text("text");
  if (m.text.size() > limits::kMaxNotice) r.fail("text", "is longer than a notice may be");
  return {};
}

void put_fields(WireWriter& w, const msg::NoticeAck& m) {
  w.uint(m.number);
}

Result<void> read_fields(WireReader& r, msg::NoticeAck& m) {
  m.number = read_u64(r, "number");
  return {};
}

}  // namespace hq
