// Frames are [kind, session, fields...]. A later protocol may append fields: what follows those known here is
// not looked at. The description of a task and the configuration of a worker are maps, as in client messages.
#include "hq/protocol/worker_codec.h"

#include "hq/protocol/limits.h"
#include "protocol/worker_wire.h"

namespace hq {

namespace {

template <class Variant>
Bytes encode_message(SessionId session, const Variant& message) {
  WireWriter w;
  const auto write = [&]<class M>(const M& m) {
    static_assert(kLayout<M>.kind != WorkerKind{});
    w.array(2 + kLayout<M>.fields);
    w.uint(uint64_t(kLayout<M>.kind));
    w.uint(session.value);
    put_fields(w, m);
  };
  std::visit(write, message);
  return w.take();
}

struct Frame {
  WireReader reader;  // at the first field
  WorkerKind kind{};
  SessionId session;
  uint32_t fields = 0;
};

Result<Frame> open(BytesView bytes) {
  if (bytes.size() > limits::kMaxWorkerFrame) return Error("message: larger than a frame may be");
  Frame frame{WireReader(bytes)};
  const uint32_t count = frame.reader.array("");
  frame.kind = WorkerKind(frame.reader.uint("kind", UINT8_MAX));
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
  Result<void> read_all = read_fields(frame.reader, message);
  if (!read_all) return Error(std::string(name) + "." + read_all.error().message);
  if (frame.reader.ok()) close(frame, message);
  if (!frame.reader.ok()) return frame.reader.error(name);
  return out;
}

Error unknown_kind(WorkerKind kind) {
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
    case WorkerKind::kHello:
      return finish<msg::Hello, msg::FromWorker>(*frame, "hello");
    case WorkerKind::kReport:
      return finish<msg::Report, msg::FromWorker>(*frame, "report");
    case WorkerKind::kReturned:
      return finish<msg::Returned, msg::FromWorker>(*frame, "returned");
    case WorkerKind::kHeartbeat:
      return finish<msg::Heartbeat, msg::FromWorker>(*frame, "heartbeat");
    case WorkerKind::kGoodbye:
      return finish<msg::Goodbye, msg::FromWorker>(*frame, "goodbye");
    case WorkerKind::kOutputHello:
      return finish<msg::OutputHello, msg::FromWorker>(*frame, "output_hello");
    case WorkerKind::kOutputData:
      return finish<msg::OutputData, msg::FromWorker>(*frame, "output_data");
    case WorkerKind::kOutputPeeked:
      return finish<msg::OutputPeeked, msg::FromWorker>(*frame, "output_peeked");
    case WorkerKind::kNotice:
      return finish<msg::Notice, msg::FromWorker>(*frame, "notice");
    case WorkerKind::kMeasured:
      return finish<msg::Measured, msg::FromWorker>(*frame, "measured");
    default:
      return unknown_kind(frame->kind);
  }
}

Result<Addressed<msg::ToWorker>> decode_to_worker(BytesView bytes) {
  Result<Frame> frame = open(bytes);
  if (!frame) return std::move(frame.error());
  switch (frame->kind) {
    case WorkerKind::kWelcome:
      return finish<msg::Welcome, msg::ToWorker>(*frame, "welcome");
    case WorkerKind::kRefused:
      return finish<msg::Refused, msg::ToWorker>(*frame, "refused");
    case WorkerKind::kHelloPlease:
      return finish<msg::HelloPlease, msg::ToWorker>(*frame, "hello_please");
    case WorkerKind::kDefine:
      return finish<msg::Define, msg::ToWorker>(*frame, "define");
    case WorkerKind::kUndefine:
      return finish<msg::Undefine, msg::ToWorker>(*frame, "undefine");
    case WorkerKind::kRunTasks:
      return finish<msg::RunTasks, msg::ToWorker>(*frame, "run_tasks");
    case WorkerKind::kRetract:
      return finish<msg::Retract, msg::ToWorker>(*frame, "retract");
    case WorkerKind::kCancelTasks:
      return finish<msg::CancelTasks, msg::ToWorker>(*frame, "cancel_tasks");
    case WorkerKind::kAck:
      return finish<msg::Ack, msg::ToWorker>(*frame, "ack");
    case WorkerKind::kHeartbeatAck:
      return finish<msg::HeartbeatAck, msg::ToWorker>(*frame, "heartbeat_ack");
    case WorkerKind::kStopWorker:
      return finish<msg::StopWorker, msg::ToWorker>(*frame, "stop_worker");
    case WorkerKind::kOutputWelcome:
      return finish<msg::OutputWelcome, msg::ToWorker>(*frame, "output_welcome");
    case WorkerKind::kOutputKept:
      return finish<msg::OutputKept, msg::ToWorker>(*frame, "output_kept");
    case WorkerKind::kPeekOutput:
      return finish<msg::PeekOutput, msg::ToWorker>(*frame, "peek_output");
    case WorkerKind::kNoticeAck:
      return finish<msg::NoticeAck, msg::ToWorker>(*frame, "notice_ack");
    case WorkerKind::kMeasureEvery:
      return finish<msg::MeasureEvery, msg::ToWorker>(*frame, "measure_every");
    default:
      return unknown_kind(frame->kind);
  }
}

}  // namespace hq
