// Frames are [kind, session, fields...]. A later protocol may append fields: what follows those known here is
// not looked at. The description of a task and the configuration of a worker are maps, as in client messages.
#include "hq/protocol/worker_codec.h"

#include "hq/protocol/limits.h"
#include "hq/protocol/version.h"
#include "protocol/columns.h"
#include "protocol/describe_core.h"
#include "protocol/worker_tables.h"

namespace hq {

namespace {

enum class Kind : uint8_t {
  kHello = 1,
  kReport = 2,
  kReturned = 3,
  kHeartbeat = 4,
  kGoodbye = 5,
  kOutputHello = 6,
  kOutputData = 7,
  kOutputPeeked = 8,
  kNotice = 9,
  kMeasured = 10,
  kWelcome = 17,
  kRefused = 18,
  kHelloPlease = 19,
  kDefine = 20,
  kUndefine = 21,
  kRunTasks = 22,
  kRetract = 23,
  kCancelTasks = 24,
  kAck = 25,
  kHeartbeatAck = 26,
  kStopWorker = 27,
  kOutputWelcome = 28,
  kOutputKept = 29,
  kPeekOutput = 30,
  kNoticeAck = 31,
  kMeasureEvery = 32,
};

// A message's kind and how many fields follow kind and session.
struct Layout {
  Kind kind;
  uint32_t fields;
};
template <class M>
inline constexpr Layout kLayout{};
template <>
inline constexpr Layout kLayout<msg::Hello>{Kind::kHello, 14};
template <>
inline constexpr Layout kLayout<msg::Report>{Kind::kReport, 3};
template <>
inline constexpr Layout kLayout<msg::Returned>{Kind::kReturned, 2};
template <>
inline constexpr Layout kLayout<msg::Heartbeat>{Kind::kHeartbeat, 1};
template <>
inline constexpr Layout kLayout<msg::Goodbye>{Kind::kGoodbye, 3};
template <>
inline constexpr Layout kLayout<msg::Welcome>{Kind::kWelcome, 7};
template <>
inline constexpr Layout kLayout<msg::Refused>{Kind::kRefused, 1};
template <>
inline constexpr Layout kLayout<msg::HelloPlease>{Kind::kHelloPlease, 0};
template <>
inline constexpr Layout kLayout<msg::Define>{Kind::kDefine, 9};
template <>
inline constexpr Layout kLayout<msg::Undefine>{Kind::kUndefine, 1};
template <>
inline constexpr Layout kLayout<msg::RunTasks>{Kind::kRunTasks, 1};
template <>
inline constexpr Layout kLayout<msg::Retract>{Kind::kRetract, 3};
template <>
inline constexpr Layout kLayout<msg::CancelTasks>{Kind::kCancelTasks, 2};
template <>
inline constexpr Layout kLayout<msg::Ack>{Kind::kAck, 1};
template <>
inline constexpr Layout kLayout<msg::HeartbeatAck>{Kind::kHeartbeatAck, 1};
template <>
inline constexpr Layout kLayout<msg::StopWorker>{Kind::kStopWorker, 1};
template <>
inline constexpr Layout kLayout<msg::OutputHello>{Kind::kOutputHello, 2};
template <>
inline constexpr Layout kLayout<msg::OutputData>{Kind::kOutputData, 5};
template <>
inline constexpr Layout kLayout<msg::OutputPeeked>{Kind::kOutputPeeked, 5};
template <>
inline constexpr Layout kLayout<msg::PeekOutput>{Kind::kPeekOutput, 11};
template <>
inline constexpr Layout kLayout<msg::OutputWelcome>{Kind::kOutputWelcome, 3};
template <>
inline constexpr Layout kLayout<msg::OutputKept>{Kind::kOutputKept, 3};
template <>
inline constexpr Layout kLayout<msg::Notice>{Kind::kNotice, 5};
template <>
inline constexpr Layout kLayout<msg::NoticeAck>{Kind::kNoticeAck, 1};
template <>
inline constexpr Layout kLayout<msg::Measured>{Kind::kMeasured, 1};
template <>
inline constexpr Layout kLayout<msg::MeasureEvery>{Kind::kMeasureEvery, 1};

// --- writing
// -------------------------------------------------------------------------------------------------

void put_texts(WireWriter& w, const std::vector<std::string>& texts) {
  w.array(texts.size());
  for (const std::string& text : texts) w.text(text);
}

// Writes the fields of a message.
struct FieldsWriter {
  WireWriter& w;

  void operator()(const msg::Hello& m) const {
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
  void operator()(const msg::Report& m) const {
    w.uint(m.number);
    put_table(w, m.started);
    put_table(w, m.ended);
  }
  void operator()(const msg::Returned& m) const {
    w.uint(m.retract);
    put_table(w, m.spans);
  }
  void operator()(const msg::Heartbeat& m) const { w.uint(m.counter); }
  void operator()(const msg::Goodbye& m) const {
    w.uint(uint64_t(m.reason));
    w.text(m.cause);
    put_texts(w, m.last_lines);
  }
  void operator()(const msg::Welcome& m) const {
    w.uint(m.protocol);
    w.text(m.server_uid);
    w.uint(m.worker.value);
    w.uint(uint64_t(std::max<int64_t>(m.window.count(), 0)));
    w.boolean(m.resumable);
    w.uint(m.acknowledged);
    put_table(w, m.unwanted);
  }
  void operator()(const msg::Refused& m) const { w.text(m.reason); }
  void operator()(const msg::HelloPlease&) const {}
  void operator()(const msg::Define& m) const {
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
  void operator()(const msg::Undefine& m) const { put(w, m.definitions); }
  void operator()(const msg::RunTasks& m) const { put_table(w, m.runs); }
  void operator()(const msg::Retract& m) const {
    w.uint(m.number);
    w.uint(m.definition.value);
    w.uint(m.count);
  }
  void operator()(const msg::CancelTasks& m) const {
    w.uint(m.job.value);
    put_table(w, m.ids);
  }
  void operator()(const msg::Ack& m) const { w.uint(m.report); }
  void operator()(const msg::HeartbeatAck& m) const { w.uint(m.counter); }
  void operator()(const msg::StopWorker& m) const { w.uint(uint64_t(m.reason)); }
  void operator()(const msg::OutputHello& m) const {
    w.uint(m.worker_uid.value);
    w.uint(m.counter);
  }
  void operator()(const msg::OutputData& m) const {
    w.uint(m.number);
    w.uint(m.job.value);
    w.uint(m.job_uid.value);
    w.text(m.log_path);
    w.text(m.records);
  }
  void operator()(const msg::OutputPeeked& m) const {
    w.uint(m.number);
    w.uint(m.position);
    w.uint(m.length);
    w.text(m.bytes);
    w.uint(uint64_t(uint32_t(m.errnum)));
  }
  void operator()(const msg::PeekOutput& m) const {
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
  void operator()(const msg::Notice& m) const {
    w.uint(m.number);
    w.uint(m.job.value);
    w.uint(m.task.value);
    w.uint(m.instance.value);
    w.text(m.text);
  }
  void operator()(const msg::NoticeAck& m) const { w.uint(m.number); }
  void operator()(const msg::Measured& m) const { put(w, m.overview); }
  void operator()(const msg::MeasureEvery& m) const {
    w.uint(uint64_t(std::max<int64_t>(m.interval.count(), 0)));
  }
  void operator()(const msg::OutputWelcome& m) const {
    w.uint(m.last);
    w.uint(m.window);
    w.array(m.pending.size());
    for (uint64_t number : m.pending) w.uint(number);
  }
  void operator()(const msg::OutputKept& m) const {
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
};

template <class Variant>
Bytes encode_message(SessionId session, const Variant& message) {
  WireWriter w;
  const auto write = [&]<class M>(const M& m) {
    static_assert(kLayout<M>.kind != Kind{});
    w.array(2 + kLayout<M>.fields);
    w.uint(uint64_t(kLayout<M>.kind));
    w.uint(session.value);
    FieldsWriter{w}(m);
  };
  std::visit(write, message);
  return w.take();
}

// --- reading
// -------------------------------------------------------------------------------------------------

uint64_t read_u64(WireReader& r, const char* field) {
  return r.uint(field, UINT64_MAX);
}

template <class E>
E read_enum(WireReader& r, const char* field, E last) {
  return E(r.uint(field, uint64_t(last)));
}

void read_texts(WireReader& r, const char* field, std::vector<std::string>& out) {
  const uint32_t count = r.array(field);
  for (uint32_t i = 0; i < count && r.ok(); ++i) out.emplace_back(r.text(field));
}

// A value in map form inside the frame. Its Error is the message's.
template <class T>
Result<void> read_map(WireReader& r, const char* field, T& out) {
  const BytesView bytes = r.value(field);
  if (!r.ok()) return {};
  return read_value(bytes, field, out);
}

bool can_talk(const msg::Hello& hello) {
  return hello.min_protocol <= kProtocol && hello.protocol >= kMinProtocol;
}

Result<void> read(WireReader& r, msg::Hello& m) {
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

Result<void> read(WireReader& r, msg::Report& m) {
  m.number = read_u64(r, "number");
  read_table(r, m.started);
  read_table(r, m.ended);
  return {};
}

Result<void> read(WireReader& r, msg::Returned& m) {
  m.retract = read_u64(r, "retract");
  read_table(r, m.spans);
  return {};
}

Result<void> read(WireReader& r, msg::Heartbeat& m) {
  m.counter = read_u64(r, "counter");
  return {};
}

Result<void> read(WireReader& r, msg::Goodbye& m) {
  m.reason = read_enum(r, "reason", msg::Goodbye::Reason::kError);
  m.cause = r.text("cause");
  read_texts(r, "last_lines", m.last_lines);
  return {};
}

Result<void> read(WireReader& r, msg::Welcome& m) {
  m.protocol = r.uint32("protocol");
  m.server_uid = r.text("server_uid");
  m.worker = WorkerId(r.uint32("worker"));
  m.window = Duration(int64_t(r.uint("window", INT64_MAX)));
  m.resumable = r.boolean("resumable");
  m.acknowledged = read_u64(r, "acknowledged");
  read_table(r, m.unwanted);
  return {};
}

Result<void> read(WireReader& r, msg::Refused& m) {
  m.reason = r.text("reason");
  return {};
}

Result<void> read(WireReader&, msg::HelloPlease&) {
  return {};
}

Result<void> read(WireReader& r, msg::Define& m) {
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

Result<void> read(WireReader& r, msg::Undefine& m) {
  const uint32_t count = r.array("definitions");
  for (uint32_t i = 0; i < count && r.ok(); ++i) m.definitions.emplace_back(r.uint32("definitions"));
  return {};
}

Result<void> read(WireReader& r, msg::RunTasks& m) {
  read_table(r, m.runs);
  return {};
}

Result<void> read(WireReader& r, msg::Retract& m) {
  m.number = read_u64(r, "number");
  m.definition = DefinitionId(r.uint32("definition"));
  m.count = r.uint32("count");
  return {};
}

Result<void> read(WireReader& r, msg::CancelTasks& m) {
  m.job = JobId(r.uint32("job"));
  read_table(r, m.ids);
  return {};
}

Result<void> read(WireReader& r, msg::Ack& m) {
  m.report = read_u64(r, "report");
  return {};
}

Result<void> read(WireReader& r, msg::HeartbeatAck& m) {
  m.counter = read_u64(r, "counter");
  return {};
}

Result<void> read(WireReader& r, msg::StopWorker& m) {
  m.reason = read_enum(r, "reason", msg::StopWorker::Reason::kServerStops);
  return {};
}

Result<void> read(WireReader& r, msg::OutputHello& m) {
  m.worker_uid = WorkerUid(read_u64(r, "worker_uid"));
  m.counter = read_u64(r, "counter");
  return {};
}

Result<void> read(WireReader& r, msg::OutputData& m) {
  m.number = read_u64(r, "number");
  m.job = JobId(r.uint32("job"));
  m.job_uid = JobUid(read_u64(r, "job_uid"));
  m.log_path = r.text("log_path");
  m.records = r.text("records");
  return {};
}

Result<void> read(WireReader& r, msg::OutputPeeked& m) {
  m.number = read_u64(r, "number");
  m.position = read_u64(r, "position");
  m.length = read_u64(r, "length");
  m.bytes = r.text("bytes");
  m.errnum = int32_t(r.uint("errnum", INT32_MAX));
  return {};
}

Result<void> read(WireReader& r, msg::PeekOutput& m) {
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

Result<void> read(WireReader& r, msg::Notice& m) {
  m.number = read_u64(r, "number");
  m.job = JobId(r.uint32("job"));
  m.task = TaskId(r.uint32("task"));
  m.instance = InstanceId(r.uint32("instance"));
  m.text = r.text("text");
  if (m.text.size() > limits::kMaxNotice) r.fail("text", "is longer than a notice may be");
  return {};
}

Result<void> read(WireReader& r, msg::NoticeAck& m) {
  m.number = read_u64(r, "number");
  return {};
}

Result<void> read(WireReader& r, msg::Measured& m) {
  return read_map(r, "overview", m.overview);
}

Result<void> read(WireReader& r, msg::MeasureEvery& m) {
  m.interval = Duration(int64_t(r.uint("interval", INT64_MAX)));
  return {};
}

Result<void> read(WireReader& r, msg::OutputWelcome& m) {
  m.last = read_u64(r, "last");
  m.window = read_u64(r, "window");
  const uint32_t count = r.array("pending");
  for (uint32_t i = 0; i < count && r.ok(); ++i) m.pending.push_back(read_u64(r, "pending"));
  return {};
}

Result<void> read(WireReader& r, msg::OutputKept& m) {
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

struct Frame {
  WireReader reader;  // at the first field
  Kind kind{};
  SessionId session;
  uint32_t fields = 0;
};

Result<Frame> open(BytesView bytes) {
  if (bytes.size() > limits::kMaxWorkerFrame) return Error("message: larger than a frame may be");
  Frame frame{WireReader(bytes)};
  const uint32_t count = frame.reader.array("");
  frame.kind = Kind(frame.reader.uint("kind", UINT8_MAX));
  frame.session = SessionId(read_u64(frame.reader, "session"));
  if (frame.reader.ok() && count < 2) frame.reader.fail("", "needs a kind and a session");
  if (!frame.reader.ok()) return frame.reader.error("message");
  frame.fields = count - 2;
  return frame;
}

// What follows the known fields: values, to the end of the frame.
template <class M>
void close(Frame& frame, const M& message) {
  if constexpr (std::is_same_v<M, msg::Hello>) {
    if (!can_talk(message)) return;
  }
  WireReader& r = frame.reader;
  if (frame.fields < kLayout<M>.fields) return r.fail("", "fields are missing");
  for (uint32_t i = kLayout<M>.fields; i < frame.fields && r.ok(); ++i) (void)r.value("");
  if (r.left() > 0) r.fail("", "bytes follow its end");
}

template <class M, class Variant>
Result<Addressed<Variant>> finish(Frame& frame, const char* name) {
  Addressed<Variant> out{frame.session, M{}};
  M& message = std::get<M>(out.message);
  Result<void> read_all = read(frame.reader, message);
  if (!read_all) return Error(std::string(name) + "." + read_all.error().message);
  if (frame.reader.ok()) close(frame, message);
  if (!frame.reader.ok()) return frame.reader.error(name);
  return out;
}

Error unknown_kind(Kind kind) {
  return Error("message: unknown kind " + std::to_string(int(kind)));
}

}  // namespace

Bytes encode(SessionId session, const msg::FromWorker& message) {
  return encode_message(session, message);
}

Bytes encode(SessionId session, const msg::ToWorker& message) {
  return encode_message(session, message);
}

Result<Addressed<msg::FromWorker>> decode_from_worker(BytesView bytes) {
  Result<Frame> frame = open(bytes);
  if (!frame) return std::move(frame.error());
  switch (frame->kind) {
    case Kind::kHello:
      return finish<msg::Hello, msg::FromWorker>(*frame, "hello");
    case Kind::kReport:
      return finish<msg::Report, msg::FromWorker>(*frame, "report");
    case Kind::kReturned:
      return finish<msg::Returned, msg::FromWorker>(*frame, "returned");
    case Kind::kHeartbeat:
      return finish<msg::Heartbeat, msg::FromWorker>(*frame, "heartbeat");
    case Kind::kGoodbye:
      return finish<msg::Goodbye, msg::FromWorker>(*frame, "goodbye");
    case Kind::kOutputHello:
      return finish<msg::OutputHello, msg::FromWorker>(*frame, "output_hello");
    case Kind::kOutputData:
      return finish<msg::OutputData, msg::FromWorker>(*frame, "output_data");
    case Kind::kOutputPeeked:
      return finish<msg::OutputPeeked, msg::FromWorker>(*frame, "output_peeked");
    case Kind::kNotice:
      return finish<msg::Notice, msg::FromWorker>(*frame, "notice");
    case Kind::kMeasured:
      return finish<msg::Measured, msg::FromWorker>(*frame, "measured");
    default:
      return unknown_kind(frame->kind);
  }
}

Result<Addressed<msg::ToWorker>> decode_to_worker(BytesView bytes) {
  Result<Frame> frame = open(bytes);
  if (!frame) return std::move(frame.error());
  switch (frame->kind) {
    case Kind::kWelcome:
      return finish<msg::Welcome, msg::ToWorker>(*frame, "welcome");
    case Kind::kRefused:
      return finish<msg::Refused, msg::ToWorker>(*frame, "refused");
    case Kind::kHelloPlease:
      return finish<msg::HelloPlease, msg::ToWorker>(*frame, "hello_please");
    case Kind::kDefine:
      return finish<msg::Define, msg::ToWorker>(*frame, "define");
    case Kind::kUndefine:
      return finish<msg::Undefine, msg::ToWorker>(*frame, "undefine");
    case Kind::kRunTasks:
      return finish<msg::RunTasks, msg::ToWorker>(*frame, "run_tasks");
    case Kind::kRetract:
      return finish<msg::Retract, msg::ToWorker>(*frame, "retract");
    case Kind::kCancelTasks:
      return finish<msg::CancelTasks, msg::ToWorker>(*frame, "cancel_tasks");
    case Kind::kAck:
      return finish<msg::Ack, msg::ToWorker>(*frame, "ack");
    case Kind::kHeartbeatAck:
      return finish<msg::HeartbeatAck, msg::ToWorker>(*frame, "heartbeat_ack");
    case Kind::kStopWorker:
      return finish<msg::StopWorker, msg::ToWorker>(*frame, "stop_worker");
    case Kind::kOutputWelcome:
      return finish<msg::OutputWelcome, msg::ToWorker>(*frame, "output_welcome");
    case Kind::kOutputKept:
      return finish<msg::OutputKept, msg::ToWorker>(*frame, "output_kept");
    case Kind::kPeekOutput:
      return finish<msg::PeekOutput, msg::ToWorker>(*frame, "peek_output");
    case Kind::kNoticeAck:
      return finish<msg::NoticeAck, msg::ToWorker>(*frame, "notice_ack");
    case Kind::kMeasureEvery:
      return finish<msg::MeasureEvery, msg::ToWorker>(*frame, "measure_every");
    default:
      return unknown_kind(frame->kind);
  }
}

}  // namespace hq
