#include "cli/wiring.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "hq/protocol/version.h"

namespace hq::cli {

RunningVersion running_version() {
  return {HQ_VERSION, ProtocolRange{kMinProtocol, kProtocol}};
}

namespace {

// A user of a directory service may be unknown to a static program: then the temporary directory has to do.
std::string home_directory() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
  if (const passwd* entry = getpwuid(getuid()); entry != nullptr && entry->pw_dir != nullptr)
    return entry->pw_dir;
  return std::filesystem::temp_directory_path();
}

}  // namespace

ServerDir server_dir_of(const GlobalOptions& global) {
  if (!global.server_dir) return {home_directory() + "/.hq-server", true};
  // Not made shorter or canonical: messages show it as it was written.
  if (global.server_dir->starts_with('/')) return {*global.server_dir, false};
  std::error_code ignored;  // without a current directory the path stays as given, and fails where it is used
  return {std::filesystem::current_path(ignored) / *global.server_dir, false};
}

}  // namespace hq::cli
