// The real threads, with programs of our own in PATH.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "hq/batch/batch_threads.h"
#include "support/temp_dir.h"

using namespace hq;
using namespace hq::test;

namespace {

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// PATH begins with a directory of programs that the test writes.
class Programs {
 public:
  Programs() : old_path_(std::getenv("PATH")) {
    ::setenv("PATH", (dir_.path() + ":" + old_path_).c_str(), 1);
  }
  ~Programs() { ::setenv("PATH", old_path_.c_str(), 1); }
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;

  void write(const std::string& name, const std::string& body) const {
    const std::string path = dir_.path() + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    ::chmod(path.c_str(), 0755);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return dir_.path() + "/" + name; }

 private:
  TempDir dir_;
  std::string old_path_;
};

BatchAnswer answer(const BatchRequest& request) {
  return answer_batch_request(BatchId(1), request);
}

}  // namespace

TEST_CASE("a submission writes the script, runs the program there, and keeps the id") {
  Programs programs;
  programs.write("sbatch", "pwd > " + programs.path("where") + "; cat \"$1\" > " + programs.path("script") +
                               "; echo Submitted batch job 12");
  const std::string directory = programs.path("a/b/001");

  const BatchAnswer done = answer(BatchSubmit{ManagerKind::kSlurm, directory, "text"});

  CHECK_FALSE(done.failure);
  CHECK(done.id == "12");
  CHECK(read(programs.path("script")) == "text");
  CHECK(std::filesystem::equivalent(
      read(programs.path("where")).substr(0, read(programs.path("where")).size() - 1), directory));
  CHECK(read(directory + "/jobid") == "12");
  CHECK(answer(BatchRecall{directory}).id == "12");
}

TEST_CASE("a submission that is refused has no id, and says why") {
  Programs programs;
  programs.write("qsub", "echo FOOBAR >&2; echo out; exit 3");

  const BatchAnswer done = answer(BatchSubmit{ManagerKind::kPbs, programs.path("001"), "text"});

  REQUIRE(done.failure);
  CHECK(*done.failure == BatchFailure{"qsub execution failed", "Exit code: 3\nStderr: FOOBAR\nStdout: out"});
  CHECK(answer(BatchRecall{programs.path("001")}).id.empty());
}

TEST_CASE("output without an id is a failure") {
  Programs programs;
  programs.write("sbatch", "echo hello");

  const BatchAnswer done = answer(BatchSubmit{ManagerKind::kSlurm, programs.path("001"), "text"});

  CHECK(*done.failure == BatchFailure{"Missing job id in sbatch output", ""});
}

TEST_CASE("a trial is canceled at once and leaves nothing") {
  Programs programs;
  programs.write("sbatch", "echo Submitted batch job 12");
  programs.write("scancel", "echo $* > " + programs.path("canceled"));

  const BatchAnswer done = answer(BatchTrial{
      {ManagerKind::kSlurm, programs.path("root/autoalloc/0/001"), "text"}, programs.path("root")});

  CHECK_FALSE(done.failure);
  CHECK(read(programs.path("canceled")) == "12\n");
  CHECK_FALSE(std::filesystem::exists(programs.path("root")));
}

TEST_CASE("a trial that fails leaves its script") {
  Programs programs;
  programs.write("sbatch", "exit 1");

  const BatchAnswer done = answer(BatchTrial{
      {ManagerKind::kSlurm, programs.path("root/autoalloc/0/001"), "text"}, programs.path("root")});

  REQUIRE(done.failure);
  CHECK(done.failure->headline == "Could not submit allocation: sbatch execution failed");
  CHECK(read(programs.path("root/autoalloc/0/001/hq-submit.sh")) == "text");
}

TEST_CASE("a trial that can't be canceled says so") {
  Programs programs;
  programs.write("sbatch", "echo Submitted batch job 1");
  programs.write("scancel", "exit 1");

  const BatchAnswer done = answer(BatchTrial{
      {ManagerKind::kSlurm, programs.path("root/autoalloc/0/001"), "text"}, programs.path("root")});

  REQUIRE(done.failure);
  CHECK(done.failure->headline == "Could not cancel allocation 1");
}

TEST_CASE("a trial never writes into a directory that is there already") {
  Programs programs;
  std::filesystem::create_directory(programs.path("root"));

  const BatchAnswer done =
      answer(BatchTrial{{ManagerKind::kSlurm, programs.path("root/001"), "text"}, programs.path("root")});

  CHECK(done.failure);
  CHECK_FALSE(std::filesystem::exists(programs.path("root/001")));
}

TEST_CASE("a command that hangs holds up no other") {
  Programs programs;
  programs.write("scancel", "[ $1 = 1 ] && sleep 6; exit 0");
  auto threads = make_batch_threads();
  REQUIRE(threads.ok());

  (*threads)->ask(BatchId(1), BatchCancel{ManagerKind::kSlurm, "1"});
  (*threads)->ask(BatchId(2), BatchCancel{ManagerKind::kSlurm, "2"});
  pollfd polled{(*threads)->event_fd(), POLLIN, 0};
  REQUIRE(::poll(&polled, 1, 10'000) == 1);

  const auto first = (*threads)->next_answer();
  REQUIRE(first);
  CHECK(first->request == BatchId(2));
}

TEST_CASE("directories of failed submissions are removed") {
  Programs programs;
  std::filesystem::create_directories(programs.path("001/x"));

  answer(BatchDiscard{{programs.path("001"), programs.path("none")}});

  CHECK_FALSE(std::filesystem::exists(programs.path("001")));
}
