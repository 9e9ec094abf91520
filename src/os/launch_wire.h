// What worker and launcher say to each other. Private to one binary (both ends are the same program, one
// forked from the other), so fields are fixed width in machine order, without versions: u32 length, u8 kind,
// fields.
#pragma once

#include <optional>
#include <string>

#include "hq/base/bytes.h"
#include "hq/os/process.h"

namespace hq::launch_wire {

enum class Kind : uint8_t { kDefine, kForget, kStart, kDrop, kStop, kRemoveFile, kFence, kEvent, kLog };

// Larger frames are refused by the reader (stdin data of one definition is the largest thing said).
inline constexpr uint32_t kMaxFrame = 1u << 30;

// Only the fields of `kind` mean something.
struct Command {
  Kind kind = Kind::kDrop;
  TemplateId base_id;
  LaunchTemplate base;
  LaunchRequest request;
  LaunchId id;
  Duration time{0};               // kStop: grace
  std::optional<Duration> fence;  // kFence
  std::string path;               // kRemoveFile
};

void put_define(Bytes& out, TemplateId id, const LaunchTemplate& base);
void put_forget(Bytes& out, TemplateId id);
void put_start(Bytes& out, const LaunchRequest& request);
void put_drop(Bytes& out, LaunchId id);
void put_stop(Bytes& out, LaunchId id, Duration grace);
void put_remove_file(Bytes& out, const std::string& path);
void put_fence(Bytes& out, std::optional<Duration> within);
void put_event(Bytes& out, const ProcessEvent& event, TimePoint at);
void put_log(Bytes& out, const std::string& text);

// Which pipes come with an event; their descriptors travel beside the bytes, in the same order.
inline constexpr uint8_t kOutPipe = 1;
inline constexpr uint8_t kErrPipe = 2;

struct Report {
  std::optional<ProcessEvent> event;  // else `log`
  uint8_t pipes = 0;                  // event: kOutPipe, kErrPipe
  TimePoint at{};                     // event: when it happened
  std::string log;
};

// False when the payload is not exactly one well-formed message; `out` is then unspecified.
[[nodiscard]] bool read_command(BytesView frame, Command& out);
[[nodiscard]] bool read_report(BytesView frame, Report& out);

// Received bytes, cut into frames (kind and fields, without the length).
class FrameBuffer {
 public:
  void append(const char* data, size_t size) { bytes_.append(data, size); }
  // The next whole frame; valid until the next append. nullopt: more bytes are needed, or broken().
  std::optional<BytesView> next();
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  Bytes bytes_;
  size_t taken_ = 0;
  bool broken_ = false;
};

}  // namespace hq::launch_wire
