#include "hq/core/kept_submit.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>

#include "hq/core/state.h"
#include "hq/core/text/placeholders.h"
#include "support/builders.h"

using namespace hq;
using test::submit;

namespace {

// What the program has taken from the heap, each piece with what the heap itself needs for it.
size_t heap_bytes = 0;
constexpr size_t kOfHeap = 8;

}  // namespace

// Not inlined: a compiler that sees one of a pair takes malloc or free to be its partner.
[[gnu::noinline]] void* operator new(size_t size) {
  void* piece = std::malloc(size);
  if (piece == nullptr) std::abort();
  heap_bytes += malloc_usable_size(piece) + kOfHeap;
  return piece;
}
// Also what the library asks for without exceptions: a sanitizer would hand out its own.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
[[gnu::noinline]] void operator delete(void* piece) noexcept {
  if (piece != nullptr) heap_bytes -= malloc_usable_size(piece) + kOfHeap;
  std::free(piece);
}
[[gnu::noinline]] void operator delete(void* piece, size_t) noexcept {
  operator delete(piece);
}

namespace {

constexpr const char* kUid = "abcdef";

// As `hq submit` makes it, without options.
SubmitDescription usual(std::vector<std::string> args = {"/home/u/bin/simulate", "--seed=12345678"}) {
  SubmitDescription out = submit().program(std::move(args)).value();
  out.submit_dir = "/home/u/projects/of-this-year/simulation";
  out.task.program.cwd = kDefaultCwd;
  out.task.program.stdout_spec = {StdioSpec::Kind::kFile, std::string(kDefaultStdout), false};
  out.task.program.stderr_spec = {StdioSpec::Kind::kFile, std::string(kDefaultStderr), false};
  return out;
}

std::shared_ptr<const SubmitDescription> of_job(SubmitDescription what, JobId job) {
  return std::make_shared<const SubmitDescription>(resolve_job_paths(std::move(what), job, kUid));
}

}  // namespace

TEST_CASE("a submit is given back as it came, with the paths of its job") {
  std::vector<SubmitDescription> all{usual(), submit().value(), submit().task(1).task(2, {1}).value()};
  all.push_back(usual());
  all.back().ids = {};
  all.push_back(usual());
  all.back().ids.parts = {{{5, 9, 2}, 10}, {{1, 3, 1}, 3}};
  all.push_back(usual());
  all.back().ids.parts = {{{0, 8, 2}, 9}};
  all.push_back(usual());
  all.back().stream_path = "%{SERVER_UID}/out-%{JOB_ID}";
  all.push_back(usual());
  all.back().log_path = "log-%{JOB_ID}";
  all.push_back(usual());
  all.back().task.program.cwd = "%{TASK_ID}/%{JOB_ID}";
  all.push_back(usual());
  all.back().task.program.stdout_spec.path = "/scratch/job-7/x";  // is another job's as it stands
  all.push_back(usual());
  all.back().entries.emplace().add("one");
  SubmitPools pools;
  for (const SubmitDescription& what : all) {
    for (JobId job : {JobId(7), JobId(1234)}) {
      const auto given = of_job(what, job);
      const KeptSubmit kept(given, job, kUid, pools);
      CHECK(*kept.whole(job) == *given);
      CHECK(kept.log_path() == given->log_path);
      CHECK(kept.is_graph() == given->is_graph());
      CHECK(kept.wants().request == given->task.request);
    }
  }
  CHECK(pools.forms.size() == 0);  // nobody uses them any more
}

TEST_CASE("submits that differ in their job, ids and arguments have one form") {
  SubmitPools pools;
  std::vector<KeptSubmit> kept;
  for (uint32_t job = 1; job <= 50; ++job) {
    SubmitDescription what = usual({"prog", std::to_string(job % 10)});
    what.ids = IdArray::consecutive(job, 3);
    kept.emplace_back(of_job(what, JobId(job)), JobId(job), kUid, pools);
  }
  CHECK(pools.forms.size() == 1);
  CHECK(pools.arguments.size() == 10);
  SubmitDescription other = usual({"prog", "1"});
  other.task.priority = 1;
  kept.emplace_back(of_job(other, JobId(51)), JobId(51), kUid, pools);
  CHECK(pools.forms.size() == 2);
  kept.erase(kept.begin() + 5, kept.end());
  CHECK(pools.forms.size() == 1);
  CHECK(pools.arguments.size() == 5);
}

TEST_CASE("a waiting job of one task takes at most 800 bytes, and little more if its arguments are its own") {
  constexpr uint32_t kJobs = 2000;
  for (bool own_arguments : {false, true}) {
    const size_t before = heap_bytes;
    State state;
    for (uint32_t job = 1; job <= kJobs; ++job) {
      SubmitDescription what =
          own_arguments ? usual({"/home/u/bin/simulate", "--number=of-" + std::to_string(job)}) : usual();
      state.apply({WallTime{1}, JobSubmitted{JobId(job), JobUid(job), false, "simulate", std::nullopt,
                                             of_job(std::move(what), JobId(job))}});
    }
    CHECK((heap_bytes - before) / kJobs <= (own_arguments ? 1024 : 800));
  }
}

TEST_CASE("what jobs share goes with the last of them, also when one state takes the place of another") {
  const auto fill = [](State& state) {
    for (uint32_t job = 1; job <= 3; ++job) {
      state.apply({WallTime{1}, JobSubmitted{JobId(job), JobUid(job), false, "j", std::nullopt,
                                             of_job(usual(), JobId(job))}});
    }
  };
  State state;
  fill(state);
  State other;
  fill(other);
  state = std::move(other);
  CHECK(state.find_job(JobId(3))->groups[0]->submit()->task.program.stdout_spec.path ==
        "/home/u/projects/of-this-year/simulation/job-3/%{TASK_ID}.stdout");
  state.apply({WallTime{2}, JobCanceled{JobId(2), ""}});
  state.apply({WallTime{2}, JobForgotten{JobId(2)}});
  state.check_invariants();
  CHECK(state.find_job(JobId(1))->groups[0]->submit()->task.program.args.size() == 2);
}
