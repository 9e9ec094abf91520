#include "cli/commands/foreground.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "hq/core/text/failure_text.h"
#include "hq/os/spawn_setup.h"

extern char** environ;

namespace hq::cli {
namespace {

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::string_view name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& item : added) replaced = replaced || item.first == name;
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::string end_text(int status) {
  if (WIFEXITED(status)) {
    const int code = WEXITSTATUS(status);
    return code == 0 ? "" : fmt::format("exit status: {}", code);
  }
  return fmt::format("signal: {} ({})", WTERMSIG(status), signal_name(WTERMSIG(status)));
}

}  // namespace

Result<std::string> run_in_foreground(const std::vector<std::string>& argv,
                                      const std::vector<std::pair<std::string, std::string>>& added) {
  SpawnSetup setup;
  const std::vector<std::string> variables = environment_with(added);
  std::vector<char*> words = pointers_to(argv);
  std::vector<char*> env = pointers_to(variables);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&setup.attributes, &defaults);
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int failed =
      posix_spawnp(&pid, words[0], &setup.actions, &setup.attributes, words.data(), env.data());
  if (failed != 0) return os_error(failed);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return os_error(errno);
  }
  return end_text(status);
}

}  // namespace hq::cli
