// Messages about how a worker comes, stays and goes.
#include <algorithm>

#include "hq/protocol/version.h"
#include "protocol/columns.h"
#include "protocol/describe_core.h"
#include "protocol/worker_tables.h"
#include "protocol/worker_wire.h"

namespace hq {

namespace {

void put_texts(WireWriter& w, const std::vector<std::string>& texts) {
  w.array(texts.size());
  for (const std::string& text : texts) w.text(text);
}

template <class E>
E read_enum(WireReader& r, const char* field, E last) {
  return E(r.uint(field, uint64_t(last)));
}

void read_texts(WireReader& r, const char* field, std::vector<std::string>& out) {
  const uint32_t count = r.array(field);
  for (uint32_t i = 0; i < count && r.ok(); ++i) out.emplace_back(r.text(field));
}

}  // namespace

bool can_talk(const msg::Hello& hello) {
  return hello.min_protocol <= kProtocol && hello.protocol >= kMinProtocol;
}

void put_fields(WireWriter& w, const msg::Hello& m) {
  w.uint(m.protocol);
  w.uint(m.min_protocol);
  w.text(m.version);
  w.text(m.server_uid);
  w.uint(m.worker_uid.value);
  w.uint(m.worker.value);
  w.uint(m.counter);
  w.uint(m.page);
  w.boolean(m.last_page);
  put(w, m.config);
  w.uint(to_micros(m.age_s));
  put_table(w, m.held);
  put_table(w, m.ended);
  w.uint(m.last_report);
}

Result<void> read_fields(WireReader& r, msg::Hello& m) {
  m.protocol = r.uint32("protocol");
  m.min_protocol = r.uint32("min_protocol");
  m.version = r.text("version");
  // The rest may look different in a protocol we don't speak; these three are enough to refuse it.
  if (!can_talk(m)) return {};
  m.server_uid = r.text("server_uid");
  m.worker_uid = WorkerUid(read_u64(r, "worker_uid"));
  m.worker = WorkerId(r.uint32("worker"));
  m.counter = read_u64(r, "counter");
  m.page = r.uint32("page");
  m.last_page = r.boolean("last_page");
  if (!r.take_nil()) {
    auto config = read_map(r, "config", m.config.emplace());
    if (!config) return config;
  }
  m.age_s = from_micros(r.uint("age", kMaxMicros));
  read_table(r, m.held);
  read_table(r, m.ended);
  m.last_report = read_u64(r, "last_report");
  return {};
}

void put_fields(WireWriter& w, const msg::Welcome& m) {
  w.uint(m.protocol);
  w.text(m.server_uid);
  w.uint(m.worker.value);
  w.uint(uint64_t(std::max<int64_t>(m.window.count(), 0)));
  w.boolean(m.resumable);
  w.uint(m.acknowledged);
  put_table(w, m.unwanted);
}

Result<void> read_fields(WireReader& r, msg::Welcome& m) {
  m.protocol = r.uint32("protocol");
  m.server_uid = r.text("server_uid");
  m.worker = WorkerId(r.uint32("worker"));
  m.window = Duration(int64_t(r.uint("window", INT64_MAX)));
  m.resumable = r.boolean("resumable");
  m.acknowledged = read_u64(r, "acknowledged");
  read_table(r, m.unwanted);
  return {};
}

void put_fields(WireWriter& w, const msg::Refused& m) {
  w.text(m.reason);
}

Result<void> read_fields(WireReader& r, msg::Refused& m) {
  m.reason = r.text("reason");
  return {};
}

void put_fields(WireWriter&, const msg::HelloPlease&) {}

Result<void> read_fields(WireReader&, msg::HelloPlease&) {
  return {};
}

void put_fields(WireWriter& w, const msg::Heartbeat& m) {
  w.uint(m.counter);
}

Result<void> read_fields(WireReader& r, msg::Heartbeat& m) {
  m.counter = read_u64(r, "counter");
  return {};
}

void put_fields(WireWriter& w, const msg::HeartbeatAck& m) {
  w.uint(m.counter);
}

Result<void> read_fields(WireReader& r, msg::HeartbeatAck& m) {
  m.counter = read_u64(r, "counter");
  return {};
}

void put_fields(WireWriter& w, const msg::Goodbye& m) {
  w.uint(uint64_t(m.reason));
  w.text(m.cause);
  put_texts(w, m.last_lines);
}

Result<void> read_fields(WireReader& r, msg::Goodbye& m) {
  m.reason = read_enum(r, "reason", msg::Goodbye::Reason::kError);
  m.cause = r.text("cause");
  read_texts(r, "last_lines", m.last_lines);
  return {};
}

void put_fields(WireWriter& w, const msg::StopWorker& m) {
  w.uint(uint64_t(m.reason));
}

Result<void> read_fields(WireReader& r, msg::StopWorker& m) {
  m.reason = read_enum(r, "reason", msg::StopWorker::Reason::kServerStops);
  return {};
}

void put_fields(WireWriter& w, const msg::Measured& m) {
  put(w, m.overview);
}

Result<void> read_fields(WireReader& r, msg::Measured& m) {
  return read_map(r, "overview", m.overview);
}

void put_fields(WireWriter& w, const msg::MeasureEvery& m) {
  w.uint(uint64_t(std::max<int64_t>(m.interval.count(), 0)));
}

Result<void> read_fields(WireReader& r, msg::MeasureEvery& m) {
  m.interval = Duration(int64_t(r.uint("interval", INT64_MAX)));
  return {};
}

}  // namespace hq
