#include <doctest/doctest.h>

#include <cerrno>

#include "hq/core/text/failure_text.h"

using namespace hq;

TEST_CASE("a failure whose message was not kept still says what it can") {
  CHECK(failure_text({FailureKind::kLaunch, 2, ""}) ==
        "The task could not be started: No such file or directory (os error 2)");
  CHECK(failure_text({FailureKind::kLaunch, 0, ""}) == "The task could not be started");
}

TEST_CASE("ended programs are told by code or signal") {
  CHECK(exit_failure_text(7, 0) == "Program terminated with exit code 7.");
  CHECK(exit_failure_text(0, 9) == "Program terminated with exit code -1. Received signal 9 (SIGKILL).");
  CHECK(exit_failure_text(0, 40) == "Program terminated with exit code -1. Received signal 40 (unknown).");
}

TEST_CASE("what could not be executed is told with a hint") {
  CHECK(cannot_execute_text({"no-such-program"}, ENOENT, "/w", false) ==
        "Cannot execute \"no-such-program\": No such file or directory (os error 2)\n"
        "The program that you have tried to execute (`no-such-program`) was not found.");
  const std::string here = cannot_execute_text({"prog", "x"}, ENOENT, "/w", true);
  CHECK(here.starts_with("Cannot execute \"prog x\": "));
  CHECK(here.find("/w/prog") != std::string::npos);
  CHECK(here.find("`./prog`") != std::string::npos);
  CHECK(cannot_execute_text({"./a.sh"}, EACCES, "/w", true).find("shebang") != std::string::npos);
  CHECK(cannot_execute_text({"./a"}, EACCES, "/w", true) ==
        "Cannot execute \"./a\": Permission denied (os error 13)");
  CHECK_FALSE(cannot_execute_text({}, EINVAL, "", false).empty());
}

TEST_CASE("directories that could not be made are told in full") {
  CHECK(stdout_directory_text("/proc/nope/job-6/0.stdout", false, ENOENT) ==
        "Cannot create stdout directory at File { path: \"/proc/nope/job-6/0.stdout\", on_close: None }: Os "
        "{ code: "
        "2, kind: NotFound, message: \"No such file or directory\" }");
  CHECK(stderr_directory_text("a\"b", true, ENOTDIR) ==
        "Cannot create stderr directory at File { path: \"a\\\"b\", on_close: RmIfFinished }: Os { code: 20, "
        "kind: "
        "NotADirectory, message: \"Not a directory\" }");
  CHECK(open_output_text(EACCES) == "Creating stream file failed: Permission denied (os error 13)");
  CHECK(working_directory_text(EACCES).starts_with("Could not create working directory: "));
}

TEST_CASE("an error file speaks for the task") {
  CHECK(error_file_text("") == "Task created an error file, but it is empty");
  CHECK(error_file_text("my error\n") == "my error\n");
  CHECK(error_file_text("a\xFF"
                        "b") == "a\uFFFDb");
  const std::string full(kErrorFileBytes, 'x');
  CHECK(error_file_text(full) == full + "\n[The message was truncated]");
  CHECK(error_file_text(full.substr(1)) == full.substr(1));
}
