#include "cli/serve_alloc.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "hq/base/log.h"
#include "hq/core/text/option_text.h"

namespace hq::cli {

namespace {

// A number of milliseconds in the environment, for tests above all.
Duration milliseconds_of(const char* variable, Duration usual) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return usual;
  const auto number = parse_u32(text);
  if (number) return std::chrono::milliseconds(*number);
  log::warn(std::string(variable) + " is no number of milliseconds: ignored");
  return usual;
}

// The program as others can start it, also after it was replaced meanwhile.
std::string own_program() {
  std::error_code failed;
  std::string path = std::filesystem::read_symlink("/proc/self/exe", failed);
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return failed ? "hq" : path;
}

}  // namespace

AllocOptions alloc_options(const std::string& numbered_dir) {
  AllocOptions options;
  options.site.server_dir = numbered_dir;
  options.site.program = own_program();
  if (const char* filter = std::getenv("RUST_LOG")) options.site.rust_log = filter;
  std::error_code ignored;
  options.temporary = std::filesystem::temp_directory_path(ignored);
  options.tick = milliseconds_of("HQ_AUTOALLOC_SCHEDULE_TICK_INTERVAL_MS", options.tick);
  options.longest_pause = milliseconds_of("HQ_AUTOALLOC_MAX_SCHEDULE_DELAY_MS", options.longest_pause);
  options.limits.patience = milliseconds_of("HQ_AUTOALLOC_PATIENCE_MS", options.limits.patience);
  options.refresh = milliseconds_of("HQ_AUTOALLOC_REFRESH_INTERVAL_MS", options.refresh);
  if (const char* text = std::getenv("HQ_AUTOALLOC_MAX_ALLOCATION_FAILS")) {
    if (const auto number = parse_u32(text)) options.limits.failed_allocations = *number;
  }
  return options;
}

std::set<std::string> earlier_server_dirs(const State& state, const std::string& numbered_dir) {
  std::set<std::string> found;
  const auto add = [&](const std::string& directory) {  // DIR/autoalloc/QUEUE/NUMBER
    const auto dir = std::filesystem::path(directory).parent_path().parent_path().parent_path();
    std::error_code ignored;  // then it is not there
    if (dir != numbered_dir && std::filesystem::is_directory(dir, ignored)) found.insert(dir);
  };
  for (const auto& [id, queue] : state.allocations().queues()) {
    for (const auto& [number, allocation] : queue.allocations) {
      if (allocation.active()) add(allocation.directory);
    }
    for (const auto& [number, submission] : queue.under_way) add(submission.directory);
  }
  return found;
}

}  // namespace hq::cli
