// The messages between workers and server as fields of a frame: what kind each is, and how its fields are
// written and read. worker_codec.cc puts frames together.
#pragma once

#include <string>
#include <vector>

#include "hq/protocol/worker_messages.h"
#include "protocol/wire_reader.h"
#include "protocol/wire_writer.h"

namespace hq {

enum class WorkerKind : uint8_t {
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
  WorkerKind kind;
  uint32_t fields;
};
template <class M>
inline constexpr Layout kLayout{};
template <>
inline constexpr Layout kLayout<msg::Hello>{WorkerKind::kHello, 14};
template <>
inline constexpr Layout kLayout<msg::Report>{WorkerKind::kReport, 3};
template <>
inline constexpr Layout kLayout<msg::Returned>{WorkerKind::kReturned, 2};
template <>
inline constexpr Layout kLayout<msg::Heartbeat>{WorkerKind::kHeartbeat, 1};
template <>
inline constexpr Layout kLayout<msg::Goodbye>{WorkerKind::kGoodbye, 3};
template <>
inline constexpr Layout kLayout<msg::Welcome>{WorkerKind::kWelcome, 7};
template <>
inline constexpr Layout kLayout<msg::Refused>{WorkerKind::kRefused, 1};
template <>
inline constexpr Layout kLayout<msg::HelloPlease>{WorkerKind::kHelloPlease, 0};
template <>
inline constexpr Layout kLayout<msg::Define>{WorkerKind::kDefine, 9};
template <>
inline constexpr Layout kLayout<msg::Undefine>{WorkerKind::kUndefine, 1};
template <>
inline constexpr Layout kLayout<msg::RunTasks>{WorkerKind::kRunTasks, 1};
template <>
inline constexpr Layout kLayout<msg::Retract>{WorkerKind::kRetract, 3};
template <>
inline constexpr Layout kLayout<msg::CancelTasks>{WorkerKind::kCancelTasks, 2};
template <>
inline constexpr Layout kLayout<msg::Ack>{WorkerKind::kAck, 1};
template <>
inline constexpr Layout kLayout<msg::HeartbeatAck>{WorkerKind::kHeartbeatAck, 1};
template <>
inline constexpr Layout kLayout<msg::StopWorker>{WorkerKind::kStopWorker, 1};
template <>
inline constexpr Layout kLayout<msg::OutputHello>{WorkerKind::kOutputHello, 2};
template <>
inline constexpr Layout kLayout<msg::OutputData>{WorkerKind::kOutputData, 5};
template <>
inline constexpr Layout kLayout<msg::OutputPeeked>{WorkerKind::kOutputPeeked, 5};
template <>
inline constexpr Layout kLayout<msg::PeekOutput>{WorkerKind::kPeekOutput, 11};
template <>
inline constexpr Layout kLayout<msg::OutputWelcome>{WorkerKind::kOutputWelcome, 3};
template <>
inline constexpr Layout kLayout<msg::OutputKept>{WorkerKind::kOutputKept, 3};
template <>
inline constexpr Layout kLayout<msg::Notice>{WorkerKind::kNotice, 5};
template <>
inline constexpr Layout kLayout<msg::NoticeAck>{WorkerKind::kNoticeAck, 1};
template <>
inline constexpr Layout kLayout<msg::Measured>{WorkerKind::kMeasured, 1};
template <>
inline constexpr Layout kLayout<msg::MeasureEvery>{WorkerKind::kMeasureEvery, 1};

[[nodiscard]] inline uint64_t read_u64(WireReader& r, const char* field) {
  return r.uint(field, UINT64_MAX);
}

// Whether we speak its protocol. If not, the rest of it may look different.
[[nodiscard]] bool can_talk(const msg::Hello& hello);

// worker_session_wire.cc
void put_fields(WireWriter& w, const msg::Hello& m);
void put_fields(WireWriter& w, const msg::Welcome& m);
void put_fields(WireWriter& w, const msg::Refused& m);
void put_fields(WireWriter& w, const msg::HelloPlease& m);
void put_fields(WireWriter& w, const msg::Heartbeat& m);
void put_fields(WireWriter& w, const msg::HeartbeatAck& m);
void put_fields(WireWriter& w, const msg::Goodbye& m);
void put_fields(WireWriter& w, const msg::StopWorker& m);
void put_fields(WireWriter& w, const msg::Measured& m);
void put_fields(WireWriter& w, const msg::MeasureEvery& m);
Result<void> read_fields(WireReader& r, msg::Hello& m);
Result<void> read_fields(WireReader& r, msg::Welcome& m);
Result<void> read_fields(WireReader& r, msg::Refused& m);
Result<void> read_fields(WireReader& r, msg::HelloPlease& m);
Result<void> read_fields(WireReader& r, msg::Heartbeat& m);
Result<void> read_fields(WireReader& r, msg::HeartbeatAck& m);
Result<void> read_fields(WireReader& r, msg::Goodbye& m);
Result<void> read_fields(WireReader& r, msg::StopWorker& m);
Result<void> read_fields(WireReader& r, msg::Measured& m);
Result<void> read_fields(WireReader& r, msg::MeasureEvery& m);

// worker_task_wire.cc
void put_fields(WireWriter& w, const msg::Define& m);
void put_fields(WireWriter& w, const msg::Undefine& m);
void put_fields(WireWriter& w, const msg::RunTasks& m);
void put_fields(WireWriter& w, const msg::Retract& m);
void put_fields(WireWriter& w, const msg::Returned& m);
void put_fields(WireWriter& w, const msg::CancelTasks& m);
void put_fields(WireWriter& w, const msg::Report& m);
void put_fields(WireWriter& w, const msg::Ack& m);
void put_fields(WireWriter& w, const msg::Notice& m);
void put_fields(WireWriter& w, const msg::NoticeAck& m);
Result<void> read_fields(WireReader& r, msg::Define& m);
Result<void> read_fields(WireReader& r, msg::Undefine& m);
Result<void> read_fields(WireReader& r, msg::RunTasks& m);
Result<void> read_fields(WireReader& r, msg::Retract& m);
Result<void> read_fields(WireReader& r, msg::Returned& m);
Result<void> read_fields(WireReader& r, msg::CancelTasks& m);
Result<void> read_fields(WireReader& r, msg::Report& m);
Result<void> read_fields(WireReader& r, msg::Ack& m);
Result<void> read_fields(WireReader& r, msg::Notice& m);
Result<void> read_fields(WireReader& r, msg::NoticeAck& m);

// worker_output_wire.cc
void put_fields(WireWriter& w, const msg::OutputHello& m);
void put_fields(WireWriter& w, const msg::OutputWelcome& m);
void put_fields(WireWriter& w, const msg::OutputData& m);
void put_fields(WireWriter& w, const msg::OutputKept& m);
void put_fields(WireWriter& w, const msg::PeekOutput& m);
void put_fields(WireWriter& w, const msg::OutputPeeked& m);
Result<void> read_fields(WireReader& r, msg::OutputHello& m);
Result<void> read_fields(WireReader& r, msg::OutputWelcome& m);
Result<void> read_fields(WireReader& r, msg::OutputData& m);
Result<void> read_fields(WireReader& r, msg::OutputKept& m);
Result<void> read_fields(WireReader& r, msg::PeekOutput& m);
Result<void> read_fields(WireReader& r, msg::OutputPeeked& m);

}  // namespace hq
