#include "os/launch_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hq {

namespace {

char* writable(const std::string& text) {
  return const_cast<char*>(text.c_str());
}

std::string_view key_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

}  // namespace

PreparedTemplate::PreparedTemplate(LaunchTemplate base, const std::vector<std::string>& base_environment)
    : memory_limit(base.memory_limit),
      argv_strings_(std::move(base.args)),
      stdin_data_(std::move(base.stdin_data)) {
  for (const std::string& arg : argv_strings_) argv_.push_back(writable(arg));
  argv_.push_back(nullptr);

  // Strings must not move once they are looked at, so all are put in place first.
  std::unordered_map<std::string, size_t> place;
  auto put = [&](const std::string& key, std::string variable) {
    auto [at, is_new] = place.emplace(key, env_strings_.size());
    if (is_new) {
      env_strings_.push_back(std::move(variable));
    } else {
      env_strings_[at->second] = std::move(variable);
    }
  };
  for (const std::string& variable : base_environment) put(std::string(key_of(variable)), variable);
  for (const auto& [key, value] : base.env) put(key, key + "=" + value);
  for (size_t i = 0; i < env_strings_.size(); ++i) {
    envp_.push_back(writable(env_strings_[i]));
    env_index_.emplace(key_of(env_strings_[i]), i);
  }
  envp_.push_back(nullptr);

  if (!has_arguments()) return;
  auto path = variable_index("PATH");
  candidate_strings_ = program_candidates(argv_strings_[0], path ? envp_[*path] + 5 : nullptr);
  for (const std::string& candidate : candidate_strings_) candidates_.push_back(candidate.c_str());
  candidates_.push_back(nullptr);
}

std::optional<size_t> PreparedTemplate::variable_index(std::string_view key) const {
  auto found = env_index_.find(key);
  if (found == env_index_.end()) return std::nullopt;
  return found->second;
}

int PreparedTemplate::open_stdin(int& errnum) {
  errnum = 0;
  if (stdin_data_.empty() || stdin_fd_.valid()) return stdin_fd_.get();
  UniqueFd fd(::memfd_create("hq-stdin", MFD_CLOEXEC));
  if (!fd.valid()) {
    errnum = errno;
    return -1;
  }
  for (size_t done = 0; done < stdin_data_.size();) {
    ssize_t put = ::write(fd.get(), stdin_data_.data() + done, stdin_data_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      errnum = put < 0 ? errno : EIO;
      return -1;
    }
    done += static_cast<size_t>(put);
  }
  stdin_fd_ = std::move(fd);
  stdin_data_ = std::string();
  return stdin_fd_.get();
}

std::vector<std::string> program_candidates(const std::string& program, const char* path) {
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> found;
  if (program.empty()) return found;
  std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
  while (true) {
    size_t end = rest.find(':');
    std::string_view dir = rest.substr(0, end);
    if (!dir.empty()) found.push_back(std::string(dir) + "/" + program);
    if (end == std::string_view::npos) return found;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace hq
