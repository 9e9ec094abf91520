#include "os/launch_wire.h"

#include <cstring>
#include <type_traits>

#include "hq/base/assert.h"

namespace hq::launch_wire {

namespace {

// Writes one frame; its length is filled in at the end.
class FrameWriter {
 public:
  FrameWriter(Bytes& out, Kind kind) : out_(out), start_(out.size()) {
    number(uint32_t{0});
    number(kind);
  }
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;
  ~FrameWriter() {
    size_t length = out_.size() - start_ - sizeof(uint32_t);
    HQ_ASSERT(length <= kMaxFrame);
    auto length32 = static_cast<uint32_t>(length);
    std::memcpy(out_.data() + start_, &length32, sizeof length32);
  }
  template <class T>
  void number(T value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(const std::string& value) {
    number(static_cast<uint32_t>(value.size()));
    out_.append(value);
  }
  void pairs(const std::vector<std::pair<std::string, std::string>>& values) {
    number(static_cast<uint32_t>(values.size()));
    for (const auto& [key, value] : values) {
      text(key);
      text(value);
    }
  }

 private:
  Bytes& out_;
  size_t start_;
};

// Reads fields; after the first that does not fit everything reads as zero and ok() is false.
class FieldReader {
 public:
  explicit FieldReader(BytesView bytes) : rest_(bytes) {}
  template <class T>
  void number(T& value) {
    if (!ok_ || rest_.size() < sizeof value) {
      ok_ = false;
      value = T{};
      return;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
  }
  template <class T>
  T get() {
    T value{};
    number(value);
    return value;
  }
  bool flag() { return get<uint8_t>() != 0; }
  void text(std::string& value) {
    auto size = get<uint32_t>();
    if (!ok_ || rest_.size() < size) {
      ok_ = false;
      value.clear();
      return;
    }
    value.assign(rest_.data(), size);
    rest_.remove_prefix(size);
  }
  // A count of things that take at least `least` bytes each: never more than the remaining bytes can hold.
  size_t count(size_t least) {
    size_t n = get<uint32_t>();
    if (n > rest_.size() / least) ok_ = false;
    return ok_ ? n : 0;
  }
  void pairs(std::vector<std::pair<std::string, std::string>>& values) {
    values.resize(count(2 * sizeof(uint32_t)));
    for (auto& [key, value] : values) {
      text(key);
      text(value);
    }
  }
  void fail() { ok_ = false; }
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }

 private:
  BytesView rest_;
  bool ok_ = true;
};

void put_target(FrameWriter& out, const OutputTarget& target) {
  out.number(target.kind);
  out.text(target.path);
}

void read_target(FieldReader& in, OutputTarget& target) {
  in.number(target.kind);
  if (target.kind > OutputTarget::Kind::kPipe) in.fail();
  in.text(target.path);
}

void read_request(FieldReader& in, LaunchRequest& r) {
  in.number(r.id.value);
  in.number(r.base.value);
  in.pairs(r.env);
  in.text(r.cwd);
  read_target(in, r.out);
  read_target(in, r.err);
  r.unlink_outputs_first = in.flag();
  in.text(r.task_dir);
  in.text(r.host_file_text);
  in.text(r.node_file_text);
  r.cpus.resize(in.count(sizeof(int)));
  for (int& cpu : r.cpus) in.number(cpu);
  in.number(r.after.value);
}

uint8_t pipes_of(const ProcessEvent& e) {
  if (!e.pipes) return 0;
  return uint8_t((e.pipes->out.valid() ? kOutPipe : 0) | (e.pipes->err.valid() ? kErrPipe : 0));
}

void read_event(FieldReader& in, ProcessEvent& e) {
  in.number(e.kind);
  if (e.kind > ProcessEvent::Kind::kLauncherGone) in.fail();
  in.number(e.id.value);
  in.number(e.pid);
  e.ran = Duration(in.get<int64_t>());
  e.waited = Duration(in.get<int64_t>());
  in.number(e.exit_code);
  in.number(e.signal);
  e.usage.user = Duration(in.get<int64_t>());
  e.usage.system = Duration(in.get<int64_t>());
  in.number(e.usage.max_rss_bytes);
  in.number(e.memory_exceeded);
  in.text(e.error_file);
  e.error_file_present = in.flag();
  e.error_file_truncated = in.flag();
  in.number(e.stage);
  if (e.stage > LaunchStage::kLauncher) in.fail();
  in.number(e.errnum);
}

}  // namespace

void put_define(Bytes& out, TemplateId id, const LaunchTemplate& base) {
  FrameWriter frame(out, Kind::kDefine);
  frame.number(id.value);
  frame.number(static_cast<uint32_t>(base.args.size()));
  for (const std::string& arg : base.args) frame.text(arg);
  frame.pairs(base.env);
  frame.text(base.stdin_data);
  frame.number(base.memory_limit);
}

void put_forget(Bytes& out, TemplateId id) {
  FrameWriter(out, Kind::kForget).number(id.value);
}

void put_start(Bytes& out, const LaunchRequest& request) {
  FrameWriter frame(out, Kind::kStart);
  frame.number(request.id.value);
  frame.number(request.base.value);
  frame.pairs(request.env);
  frame.text(request.cwd);
  put_target(frame, request.out);
  put_target(frame, request.err);
  frame.number(uint8_t{request.unlink_outputs_first});
  frame.text(request.task_dir);
  frame.text(request.host_file_text);
  frame.text(request.node_file_text);
  frame.number(static_cast<uint32_t>(request.cpus.size()));
  for (int cpu : request.cpus) frame.number(cpu);
  frame.number(request.after.value);
}

void put_drop(Bytes& out, LaunchId id) {
  FrameWriter(out, Kind::kDrop).number(id.value);
}

void put_stop(Bytes& out, LaunchId id, Duration grace) {
  FrameWriter frame(out, Kind::kStop);
  frame.number(id.value);
  frame.number(int64_t{grace.count()});
}

void put_remove_file(Bytes& out, const std::string& path) {
  FrameWriter(out, Kind::kRemoveFile).text(path);
}

void put_fence(Bytes& out, std::optional<Duration> within) {
  FrameWriter frame(out, Kind::kFence);
  frame.number(uint8_t{within.has_value()});
  frame.number(int64_t{within.value_or(Duration(0)).count()});
}

void put_event(Bytes& out, const ProcessEvent& e, TimePoint at) {
  FrameWriter frame(out, Kind::kEvent);
  frame.number(e.kind);
  frame.number(e.id.value);
  frame.number(e.pid);
  frame.number(int64_t{e.ran.count()});
  frame.number(int64_t{e.waited.count()});
  frame.number(e.exit_code);
  frame.number(e.signal);
  frame.number(int64_t{e.usage.user.count()});
  frame.number(int64_t{e.usage.system.count()});
  frame.number(e.usage.max_rss_bytes);
  frame.number(e.memory_exceeded);
  frame.text(e.error_file);
  frame.number(uint8_t{e.error_file_present});
  frame.number(uint8_t{e.error_file_truncated});
  frame.number(e.stage);
  frame.number(e.errnum);
  frame.number(pipes_of(e));
  frame.number(int64_t{at.time_since_epoch().count()});
}

void put_log(Bytes& out, const std::string& text) {
  FrameWriter(out, Kind::kLog).text(text);
}

bool read_command(BytesView frame, Command& out) {
  FieldReader in(frame);
  in.number(out.kind);
  switch (out.kind) {
    case Kind::kDefine:
      in.number(out.base_id.value);
      out.base.args.resize(in.count(sizeof(uint32_t)));
      for (std::string& arg : out.base.args) in.text(arg);
      in.pairs(out.base.env);
      in.text(out.base.stdin_data);
      in.number(out.base.memory_limit);
      break;
    case Kind::kForget:
      in.number(out.base_id.value);
      break;
    case Kind::kStart:
      read_request(in, out.request);
      break;
    case Kind::kDrop:
      in.number(out.id.value);
      break;
    case Kind::kStop:
      in.number(out.id.value);
      out.time = Duration(in.get<int64_t>());
      break;
    case Kind::kRemoveFile:
      in.text(out.path);
      break;
    case Kind::kFence: {
      bool on = in.flag();
      Duration within(in.get<int64_t>());
      out.fence = on ? std::optional(within) : std::nullopt;
      break;
    }
    case Kind::kEvent:
    case Kind::kLog:
    default:
      return false;
  }
  return in.done();
}

bool read_report(BytesView frame, Report& out) {
  FieldReader in(frame);
  auto kind = in.get<Kind>();
  if (kind == Kind::kEvent) {
    read_event(in, out.event.emplace());
    in.number(out.pipes);
    if (out.pipes > (kOutPipe | kErrPipe)) in.fail();
    out.at = TimePoint(Duration(in.get<int64_t>()));
  } else if (kind == Kind::kLog) {
    out.event.reset();
    in.text(out.log);
  } else {
    return false;
  }
  return in.done();
}

std::optional<BytesView> FrameBuffer::next() {
  uint32_t length = 0;
  if (broken_ || bytes_.size() - taken_ < sizeof length) {
    // All taken in the usual case: then nothing has to move.
    bytes_.erase(0, taken_);
    taken_ = 0;
    return std::nullopt;
  }
  std::memcpy(&length, bytes_.data() + taken_, sizeof length);
  if (length == 0 || length > kMaxFrame) {
    broken_ = true;
    return std::nullopt;
  }
  if (bytes_.size() - taken_ - sizeof length < length) {
    bytes_.erase(0, taken_);
    taken_ = 0;
    return std::nullopt;
  }
  BytesView frame = BytesView(bytes_).substr(taken_ + sizeof length, length);
  taken_ += sizeof length + length;
  return frame;
}

}  // namespace hq::launch_wire
