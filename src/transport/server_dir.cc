#include "hq/transport/server_dir.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>

#include "hq/base/random.h"

namespace hq {

namespace {

constexpr const char* kCurrentName = "hq-current";

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string join(const std::string& directory, const std::string& name) {
  return directory.ends_with('/') ? directory + name : directory + "/" + name;
}

std::string quoted(const std::string& path) {
  std::string out = "\"";
  for (char c : path) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// " --server-dir X", or nothing for the default directory.
std::string advice_option(const ServerDir& dir) {
  return dir.is_default ? "" : " --server-dir " + dir.path;
}

Result<void> make_directories(const std::string& path) {
  for (size_t end = 1; end != std::string::npos;) {
    end = path.find('/', end);
    const std::string prefix = path.substr(0, end);
    if (end != std::string::npos) ++end;
    if (::mkdir(prefix.c_str(), 0700) == 0 || is_directory(prefix)) continue;
    // What is there but no directory shows as such.
    return os_error(errno == EEXIST ? ENOTDIR : errno);
  }
  return {};
}

Result<unsigned> highest_number(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
  if (directory == nullptr) return os_error(errno);
  unsigned highest = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    std::string_view name = entry->d_name;
    unsigned number = 0;
    auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (failure == std::errc() && end == name.data() + name.size() &&
        is_directory(join(path, entry->d_name))) {
      highest = std::max(highest, number);
    }
  }
  return highest;
}

std::string link_target(const std::string& path) {
  char target[4096];
  ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<size_t>(length));
}

Error no_instance_error(const ServerDir& dir, const std::string& active, const std::string& cause) {
  return Error("No running instance of HQ found at " + quoted(active) +
                   ".\nTry to start the server: `hq server start" + advice_option(dir) +
                   "` or use a different server directory.",
               {cause});
}

}  // namespace

std::string access_file_of(const std::string& directory) {
  return join(directory, "access.json");
}

Result<std::string> create_numbered_dir(const ServerDir& dir) {
  if (Result<void> made = make_directories(dir.path); !made) return made.error();
  Result<unsigned> highest = highest_number(dir.path);
  if (!highest) return highest.error();
  for (unsigned number = *highest + 1;; ++number) {
    char name[16];
    std::snprintf(name, sizeof name, "%03u", number);
    std::string path = join(dir.path, name);
    if (::mkdir(path.c_str(), 0700) == 0) return path;
    if (errno != EEXIST) return os_error(errno);  // else another server was faster, or a file has that name
  }
}

Result<void> set_current(const ServerDir& dir, const std::string& numbered) {
  SystemRandom random;
  const std::string current = join(dir.path, kCurrentName);
  const std::string temporary = join(dir.path, ".hq-current-" + random.alphanumeric(8));
  if (::symlink(numbered.c_str(), temporary.c_str()) != 0) return os_error(errno);
  if (::rename(temporary.c_str(), current.c_str()) == 0) return {};
  int failure = errno;
  ::unlink(temporary.c_str());
  return os_error(failure);
}

Result<void> clear_current(const ServerDir& dir, const std::string& numbered) {
  const std::string current = join(dir.path, kCurrentName);
  if (link_target(current) != numbered) return {};
  if (::unlink(current.c_str()) != 0 && errno != ENOENT) return os_error(errno);
  return {};
}

Error already_online_error(const ServerDir& dir) {
  return Error("Server at " + dir.path +
               " is already online, please stop it first using `hq server stop --server-dir " + dir.path +
               "`");
}

Result<AccessRecord> load_server_access(const std::string& file, const RunningVersion& running) {
  AccessOutcome outcome = load_access(file, AccessForm::kFull, running);
  if (auto* failure = std::get_if<AccessFailure>(&outcome)) return failure->error();
  return std::get<AccessRecord>(std::move(outcome));
}

Result<std::string> active_dir(const ServerDir& dir) {
  if (!is_directory(dir.path)) return Error("Error: " + quoted(dir.path) + " is not a directory");
  std::string current = join(dir.path, kCurrentName);
  return is_directory(current) ? current : dir.path;
}

Result<AccessRecord> load_client_access(const ServerDir& dir, const RunningVersion& running) {
  Result<std::string> active = active_dir(dir);
  if (!active) return std::move(active.error()).with_context("Invalid server directory");
  AccessOutcome outcome = load_access(access_file_of(*active), AccessForm::kClient, running);
  auto* failure = std::get_if<AccessFailure>(&outcome);
  if (failure == nullptr) return std::get<AccessRecord>(std::move(outcome));
  if (failure->kind == AccessFailure::Kind::kVersion) return Error(failure->text);
  return no_instance_error(dir, *active, failure->text);
}

Result<AccessRecord> load_worker_access(const ServerDir& dir, const RunningVersion& running) {
  Result<std::string> active = active_dir(dir);
  if (!active) return std::move(active.error()).with_context("Cannot load server directory");
  const std::string file = access_file_of(*active);
  AccessOutcome outcome = load_access(file, AccessForm::kWorker, running);
  auto* failure = std::get_if<AccessFailure>(&outcome);
  if (failure == nullptr) return std::get<AccessRecord>(std::move(outcome));
  return failure->error().with_context("Cannot load access record from " + quoted(file));
}

Error unreachable_error(const ServerDir& dir, const RoleAccess& server, std::vector<std::string> causes) {
  return Error("Access token found but HQ server " + server.host + ":" + std::to_string(server.port) +
                   " is unreachable.\nTry to (re)start the server using `hq server start" +
                   advice_option(dir) + "`",
               std::move(causes));
}

std::vector<std::string> refusal_causes(const std::string& failure) {
  return {"Tako error: " + failure, failure};
}

}  // namespace hq
