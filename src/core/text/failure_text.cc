#include "hq/core/text/failure_text.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "hq/base/result.h"
#include "hq/core/text/display_text.h"
#include "hq/core/text/size_text.h"

namespace hq {

namespace {

// The words the original has for an errno; scripts see them inside "Os { ... }".
std::string_view errno_kind(int errnum) {
  switch (errnum) {
    case E2BIG:
      return "ArgumentListTooLong";
    case EADDRINUSE:
      return "AddrInUse";
    case EAGAIN:
      return "WouldBlock";
    case EBUSY:
      return "ResourceBusy";
    case EDEADLK:
      return "Deadlock";
    case EDQUOT:
      return "QuotaExceeded";
    case EEXIST:
      return "AlreadyExists";
    case EFBIG:
      return "FileTooLarge";
    case EINTR:
      return "Interrupted";
    case EINVAL:
      return "InvalidInput";
    case EISDIR:
      return "IsADirectory";
    case ELOOP:
      return "FilesystemLoop";
    case EMLINK:
      return "TooManyLinks";
    case ENAMETOOLONG:
      return "InvalidFilename";
    case ENOENT:
      return "NotFound";
    case ENOMEM:
      return "OutOfMemory";
    case ENOSPC:
      return "StorageFull";
    case ENOSYS:
      return "Unsupported";
    case ENOTDIR:
      return "NotADirectory";
    case ENOTEMPTY:
      return "DirectoryNotEmpty";
    case EACCES:
    case EPERM:
      return "PermissionDenied";
    case EPIPE:
      return "BrokenPipe";
    case EROFS:
      return "ReadOnlyFilesystem";
    case ESPIPE:
      return "NotSeekable";
    case ESTALE:
      return "StaleNetworkFileHandle";
    case ETIMEDOUT:
      return "TimedOut";
    case ETXTBSY:
      return "ExecutableFileBusy";
    case EXDEV:
      return "CrossesDevices";
    default:
      return "Uncategorized";
  }
}

std::string directory_text(std::string_view channel, std::string_view path, bool remove_if_finished,
                           int errnum) {
  return fmt::format("Cannot create {} directory at File {{ path: {}, on_close: {} }}: {}", channel,
                     debug_text(path), remove_if_finished ? "RmIfFinished" : "None", os_debug_text(errnum));
}

}  // namespace

std::string os_debug_text(int errnum) {
  char buffer[256];
  return fmt::format("Os {{ code: {}, kind: {}, message: {} }}", errnum, errno_kind(errnum),
                     debug_text(strerror_r(errnum, buffer, sizeof buffer)));
}

std::string_view signal_name(int signal) {
  switch (signal) {
    case SIGHUP:
      return "SIGHUP";
    case SIGINT:
      return "SIGINT";
    case SIGQUIT:
      return "SIGQUIT";
    case SIGILL:
      return "SIGILL";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGABRT:
      return "SIGABRT";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGKILL:
      return "SIGKILL";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGSEGV:
      return "SIGSEGV";
    case SIGUSR2:
      return "SIGUSR2";
    case SIGPIPE:
      return "SIGPIPE";
    case SIGALRM:
      return "SIGALRM";
    case SIGTERM:
      return "SIGTERM";
    case SIGSTKFLT:
      return "SIGSTKFLT";
    case SIGCHLD:
      return "SIGCHLD";
    case SIGCONT:
      return "SIGCONT";
    case SIGSTOP:
      return "SIGSTOP";
    case SIGTSTP:
      return "SIGTSTP";
    case SIGTTIN:
      return "SIGTTIN";
    case SIGTTOU:
      return "SIGTTOU";
    case SIGURG:
      return "SIGURG";
    case SIGXCPU:
      return "SIGXCPU";
    case SIGXFSZ:
      return "SIGXFSZ";
    case SIGVTALRM:
      return "SIGVTALRM";
    case SIGPROF:
      return "SIGPROF";
    case SIGWINCH:
      return "SIGWINCH";
    case SIGIO:
      return "SIGIO";
    case SIGPWR:
      return "SIGPWR";
    case SIGSYS:
      return "SIGSYS";
    default:
      return "unknown";
  }
}

std::string exit_failure_text(int exit_code, int signal) {
  if (signal == 0) return fmt::format("Program terminated with exit code {}.", exit_code);
  return fmt::format("Program terminated with exit code -1. Received signal {} ({}).", signal,
                     signal_name(signal));
}

std::string error_file_text(std::string_view content) {
  if (content.empty()) return "Task created an error file, but it is empty";
  if (content.size() < kErrorFileBytes) return replace_invalid_utf8(content);
  return replace_invalid_utf8(content.substr(0, kErrorFileBytes)) + "\n[The message was truncated]";
}

std::string cannot_execute_text(const std::vector<std::string>& args, int errnum, std::string_view cwd,
                                bool exists_in_cwd) {
  std::string command;
  for (const auto& arg : args) {
    if (&arg != &args.front()) command += ' ';
    command += replace_invalid_utf8(arg);
  }
  std::string out = fmt::format("Cannot execute \"{}\": {}", command, os_error_text(errnum));
  const std::string program = args.empty() ? "" : replace_invalid_utf8(args.front());
  if (errnum == ENOENT) {
    out += fmt::format("\nThe program that you have tried to execute (`{}`) was not found.", program);
    if (exists_in_cwd) {
      out += fmt::format("\nThe file `{}/{}` exists, did you mean `./{}`?", cwd, program, program);
    }
  } else if (errnum == EACCES && program.ends_with(".sh")) {
    out += fmt::format(
        "\nThe script that you have tried to execute (`{}`) is not executable. Make it executable or add a "
        "shebang "
        "line to it.",
        program);
  }
  return out;
}

std::string stdout_directory_text(std::string_view path, bool remove_if_finished, int errnum) {
  return directory_text("stdout", path, remove_if_finished, errnum);
}

std::string stderr_directory_text(std::string_view path, bool remove_if_finished, int errnum) {
  return directory_text("stderr", path, remove_if_finished, errnum);
}

std::string memory_limit_text(uint64_t limit, uint64_t used) {
  return fmt::format("{}: {} in use, {} allowed", kMemoryLimitExceeded, memory_size_text(used),
                     memory_size_text(limit));
}

std::string open_output_text(int errnum) {
  return "Creating stream file failed: " + os_error_text(errnum);
}

std::string working_directory_text(int errnum) {
  return "Could not create working directory: " + os_debug_text(errnum);
}

std::string task_directory_text(int errnum) {
  return "Could not create task directory: " + os_error_text(errnum);
}

std::string failure_text(const Failure& failure) {
  switch (failure.kind) {
    case FailureKind::kExit:
      return failure.code < 0 ? exit_failure_text(-1, -failure.code) : exit_failure_text(failure.code, 0);
    case FailureKind::kErrorFile:
      return error_file_text(failure.text);
    case FailureKind::kTimeLimit:
      return std::string(kTimeLimitReached);
    case FailureKind::kCrashLimit:
      return fmt::format(
          "Task was running on a worker that was lost; the task has occurred {} times in this situation and "
          "limit was reached.",
          failure.code);
    case FailureKind::kNeverRestart:
      return "Task was running on a lost worker while never restart flag was set.";
    case FailureKind::kMemoryLimit:
      return failure.text.empty() ? std::string(kMemoryLimitExceeded) : failure.text;
    case FailureKind::kLaunch:
    case FailureKind::kBeforeLaunch:
      break;
  }
  if (!failure.text.empty()) return failure.text;
  // Of a job with very many failures only the first messages are kept.
  return failure.code > 0 ? "The task could not be started: " + os_error_text(failure.code)
                          : "The task could not be started";
}

}  // namespace hq
