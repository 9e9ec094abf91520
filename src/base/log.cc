#include "hq/base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <optional>

#include "hq/base/text_parts.h"

namespace hq::log {
namespace {

// The level that lets nothing through, and the most verbose one; a line passes when its level is not above
// the limit.
constexpr int kOff = -1;
constexpr int kMostVerbose = static_cast<int>(Level::kTrace);

struct State {
  std::atomic<int> limit{static_cast<int>(Level::kInfo)};
  std::atomic<bool> full{false};
  std::atomic<bool> colors{false};
  std::mutex output_mutex;  // one line at a time, to stderr and to the sink
  std::function<void(Level, std::string_view)> sink;
};

State& state() {
  static State instance;
  return instance;
}

constexpr std::array<std::string_view, 5> kNames = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"};
constexpr std::array<std::string_view, 5> kColors = {"\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[34m",
                                                     "\x1b[36m"};

std::optional<int> parse_level(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  if (upper == "OFF") return kOff;
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (upper == kNames[i]) return static_cast<int>(i);
  }
  return std::nullopt;
}

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // ignored: there is no place left to complain to
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

// The modules of the original that scripts name in RUST_LOG; filters for anything else don't concern us.
bool concerns_us(std::string_view target) {
  return target.starts_with("hyperqueue") || target.starts_with("tako");
}

void warn_invalid(std::string_view spec) {
  write_all(fmt::format("warning: invalid logging spec '{}', ignoring it\n", spec));
}

// One item of the filter: LEVEL, TARGET or TARGET=LEVEL. Returns the limit it asks for, if any.
std::optional<int> parse_item(std::string_view item) {
  size_t equals = item.find('=');
  std::string_view target = trim(item.substr(0, equals));
  if (equals == item.npos) {
    if (auto level = parse_level(target)) return level;
    return concerns_us(target) ? std::optional(kMostVerbose) : std::nullopt;
  }
  std::string_view text = item.substr(equals + 1);
  if (text.find('=') != text.npos) {
    warn_invalid(item);
    return std::nullopt;
  }
  text = trim(text);
  auto level = text.empty() ? std::optional(kMostVerbose) : parse_level(text);
  if (!level) {
    warn_invalid(text);
    return std::nullopt;
  }
  return concerns_us(target) ? level : std::nullopt;
}

int parse_filter(std::string_view spec, int fallback) {
  std::string_view directives = spec.substr(0, spec.find('/'));
  if (std::count(spec.begin(), spec.end(), '/') > 1) {
    write_all(fmt::format("warning: invalid logging spec '{}', ignoring it (too many '/'s)\n", spec));
    return fallback;
  }
  std::optional<int> limit;
  while (!directives.empty()) {
    size_t comma = directives.find(',');
    std::string_view item = trim(directives.substr(0, comma));
    directives.remove_prefix(comma == directives.npos ? directives.size() : comma + 1);
    if (item.empty()) continue;
    if (auto wanted = parse_item(item)) limit = std::max(limit.value_or(kOff), *wanted);
  }
  return limit.value_or(fallback);
}

std::string time_text(bool milliseconds) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1,
                                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
  if (milliseconds) out += fmt::format(".{:03}", now.tv_nsec / 1'000'000);
  return out + "Z";
}

std::string format_line(Level level, std::string_view message, std::string_view time, bool full,
                        bool colors) {
  std::string_view name = kNames[static_cast<size_t>(level)];
  std::string_view color = kColors[static_cast<size_t>(level)];
  if (full && colors) {
    return fmt::format("\x1b[90m[\x1b[0m{} \x1b[1m{}{:<5}\x1b[0m hyperqueue\x1b[90m]\x1b[0m {}", time, color,
                       name, message);
  }
  if (full) return fmt::format("[{} {:<5} hyperqueue] {}", time, name, message);
  if (colors) return fmt::format("\x1b[30m{}\x1b[0m \x1b[1m{}{}\x1b[0m {}", time, color, name, message);
  return fmt::format("{} {} {}", time, name, message);
}

void write_line(Level level, std::string_view message) {
  if (!enabled(level)) return;
  State& s = state();
  const bool full = s.full;
  const bool colors = s.colors;
  std::string time = time_text(full);
  std::string line = format_line(level, message, time, full, colors);
  line += '\n';

  std::lock_guard lock(s.output_mutex);
  write_all(line);
  if (!s.sink) return;
  s.sink(level, colors ? format_line(level, message, time, full, false) : line.substr(0, line.size() - 1));
}

}  // namespace

void error(std::string_view message) {
  write_line(Level::kError, message);
}
void warn(std::string_view message) {
  write_line(Level::kWarn, message);
}
void info(std::string_view message) {
  write_line(Level::kInfo, message);
}
void debug(std::string_view message) {
  write_line(Level::kDebug, message);
}
void trace(std::string_view message) {
  write_line(Level::kTrace, message);
}

bool enabled(Level level) {
  return static_cast<int>(level) <= state().limit.load(std::memory_order_relaxed);
}

void configure(const Config& config) {
  State& s = state();
  s.full = config.debug || config.rust_log.find("debug") != std::string::npos;
  s.colors = config.stderr_is_terminal && !config.no_color;
  s.limit = parse_filter(config.rust_log, static_cast<int>(config.debug ? Level::kDebug : Level::kInfo));
}

void set_sink(std::function<void(Level, std::string_view line)> sink) {
  State& s = state();
  std::lock_guard lock(s.output_mutex);
  s.sink = std::move(sink);
}

}  // namespace hq::log
