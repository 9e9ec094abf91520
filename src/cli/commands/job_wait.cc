// hq job wait, hq job progress, and the waiting that submit does.
#include <fmt/format.h>

#include "cli/commands/answers.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/job_printers.h"
#include "cli/commands/live_line.h"
#include "cli/commands/selection.h"
#include "cli/commands/waiting.h"
#include "cli/output/progress_bar.h"
#include "hq/base/log.h"

namespace hq::cli {
namespace {

msg::WaitJobs progress_request(msg::Selection jobs) {
  return {std::move(jobs), /*without_close=*/false, /*progress=*/true};
}

void announce(uint64_t jobs, uint64_t tasks) {
  log::info(fmt::format("Waiting for {} with {}", counted(jobs, "job"), counted(tasks, "task")));
}

void draw(const msg::JobProgress& progress, Output& output) {
  output.print_raw(
      progress_line(counts_of(progress.counts), progress.jobs_done, progress.jobs_total, output.style()));
}

}  // namespace

namespace {

// One conversation about the end of jobs; beside it another one tells how far they are, if somebody sees it.
class Wait {
 public:
  Wait(Client& client, const WaitFor& what, const CommandContext& context, Output& output)
      : client_(client), what_(what), output_(output), line_(context, output) {
    msg::WaitJobs request{what.jobs, what.without_close};
    request.notices = what.callback != nullptr;
    end_ = what.begun ? *what.begun : client.send(request);
    if (!line_.wanted()) return;
    request.notices = false;
    request.progress = true;
    progress_ = client.send(request);
  }

  Result<void> run() {
    while (true) {
      auto reply = next();
      if (!reply) return reply.error();
      if (std::holds_alternative<msg::WaitFinished>(*reply)) return {};
      const auto* notice = std::get_if<msg::TaskNotice>(&*reply);
      if (notice == nullptr || what_.callback == nullptr) return unexpected_answer(*reply);
      line_.erase();
      what_.callback->run(*notice);
    }
  }

 private:
  Result<msg::ClientReply> next() {
    while (true) {
      auto reply = client_.next_until(end_, line_.due());
      if (!reply) return reply.error();
      if (*reply) return std::move(**reply);
      if (auto shown = show(); !shown) return shown.error();
    }
  }
  // The newest of what has come.
  Result<void> show() {
    while (progress_) {
      auto reply = client_.next_until(*progress_, TimePoint::min());
      if (!reply) return reply.error();
      if (!*reply) break;
      if (const auto* progress = std::get_if<msg::JobProgress>(&**reply)) {
        newest_ = *progress;
      } else {
        progress_.reset();
      }
    }
    line_.draw(
        progress_text(counts_of(newest_.counts), newest_.jobs_done, newest_.jobs_total, output_.style()));
    return {};
  }

  Client& client_;
  const WaitFor& what_;
  Output& output_;
  LiveLine line_;
  RequestId end_;
  std::optional<RequestId> progress_;  // while it may tell more
  msg::JobProgress newest_;
};

}  // namespace

Result<void> wait_for_jobs(Follower& follower, const WaitFor& what, const CommandContext& context,
                           Output& output) {
  WaitFor now = what;
  while (true) {
    auto done = Wait(follower.client(), now, context, output).run();
    if (done || !follower.come_back()) return done;
    now.begun.reset();  // it was another connection's
  }
}

Result<bool> print_progress(Answers& answers, Output& output) {
  for (bool first = true;; first = false) {
    auto reply = answers.take();
    if (!reply) return reply.error();
    if (!*reply) return Error("The server ended its answer without saying that the jobs are done");
    if (const auto* finished = std::get_if<msg::WaitFinished>(&**reply)) {
      return !(first && finished->nothing_to_wait_for);
    }
    const auto* progress = std::get_if<msg::JobProgress>(&**reply);
    if (progress == nullptr) return unexpected_answer(**reply);
    const StateCounts counts = counts_of(progress->counts);
    if (first) announce(progress->jobs_total, counts.waiting + counts.running);
    draw(*progress, output);
  }
}

namespace {

// As print_progress(), across restarts of the server.
Result<bool> follow_progress(Follower& follower, const msg::Selection& jobs, Output& output) {
  for (bool again = false;; again = true) {
    Answers answers = Answers::to(follower.client(), progress_request(jobs));
    auto shown = print_progress(answers, output);
    // Nothing to wait for any more: that is the end of what was waited for.
    if (shown) return *shown || again;
    if (!follower.come_back()) return shown.error();
  }
}

}  // namespace

Result<void> show_progress_of_submitted(Follower& follower, JobId id, Output& output) {
  auto shown = follow_progress(follower, selection_of(id), output);
  if (!shown) return shown.error();
  if (*shown) return {};
  Client& client = follower.client();
  // All of it was over before we could ask: what is left to show is the end.
  auto job = client.call<msg::JobDetail>(msg::GetJobs{selection_of(id), msg::GetJobs::Tasks::kNone, {}, {}});
  if (!job) return job.error();
  if (job->info.task_count == 0) {
    log::warn("There are no jobs to wait for");
    return {};
  }
  announce(1, job->info.task_count);
  draw({.jobs_done = job->info.is_open ? 0u : 1u, .jobs_total = 1, .counts = job->info.counts}, output);
  return {};
}

int run_job_wait(const JobWaitOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  Follower follower(context, std::move(*client));
  auto waited =
      wait_for_jobs(follower, {selection_of(options.selector), options.without_close}, context, output);
  if (!waited) return output.print_error(waited.error());
  return output.finish();
}

int run_job_progress(const JobProgressOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  Follower follower(context, std::move(*client));
  auto shown = follow_progress(follower, selection_of(options.selector), output);
  if (!shown) return output.print_error(shown.error());
  if (!*shown) log::warn("There are no jobs to wait for");
  return output.finish();
}

}  // namespace hq::cli
