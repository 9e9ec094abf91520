// Log lines on stderr: "<UTC time to seconds>Z <LEVEL> <message>". A function either logs or returns the
// error, never both; only server, worker, client and cli log.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace hq::log {

enum class Level { kError, kWarn, kInfo, kDebug, kTrace };

void error(std::string_view message);
void warn(std::string_view message);
void info(std::string_view message);
void debug(std::string_view message);
void trace(std::string_view message);
[[nodiscard]] bool enabled(Level level);

// Set once at start of main, before threads. `rust_log` is the value of RUST_LOG ("" = unset): env_logger
// filter syntax; only its levels are used (the most verbose that applies to any module). Colours are used
// when stderr is a terminal and NO_COLOR is unset.
struct Config {
  bool debug = false;
  std::string rust_log;
  bool stderr_is_terminal = false;
  bool no_color = false;
};
void configure(const Config& config);

// A second place for lines (the log file of a server or worker; a test's book). Replaces the earlier one.
void set_sink(std::function<void(Level, std::string_view line)> sink);

}  // namespace hq::log
