// hq job cat --follow, hq task tail.
#include "cli/commands/live_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "cli/commands/answers.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/selection.h"
#include "cli/commands/task_text.h"
#include "hq/base/log.h"
#include "hq/core/text/failure_text.h"

namespace hq::cli {
namespace {

constexpr Duration kPause = 200ms;  // between two looks
constexpr uint32_t kMostAtOnce = 64 * 1024;
constexpr uint32_t kDefaultLines = 10;

msg::ReadOutput::Channel asked_channel(StdStream stream) {
  return stream == StdStream::kStdout ? msg::ReadOutput::Channel::kStdout : msg::ReadOutput::Channel::kStderr;
}

std::string_view name_of(StdStream stream) {
  return stream == StdStream::kStdout ? "stdout" : "stderr";
}

bool is_all(const msg::OutputPiece& piece) {
  return piece.position + piece.bytes.size() >= piece.length;
}

// How far the output of one task was printed.
struct Progress {
  InstanceId instance;
  uint64_t position = 0;
  bool ended = false;  // nothing more will come
};

class OutputFollower {
 public:
  OutputFollower(Client& client, StdStream stream, bool headers, Output& output)
      : client_(client), stream_(stream), headers_(headers), output_(output) {}

  // Prints what is new of a task.
  Result<void> look(JobId job, TaskId task, Progress& progress) {
    while (!progress.ended) {
      auto piece = client_.call<msg::OutputPiece>(
          msg::ReadOutput{job, task, asked_channel(stream_), progress.position, false, kMostAtOnce});
      if (!piece) return piece.error();
      if (piece->started && piece->instance != progress.instance) {
        // The task was started again, and its output begins anew.
        const bool had_some = progress.position > 0;
        progress = {piece->instance, 0, false};
        if (had_some) continue;
      }
      const bool final = is_final(piece->state);
      if (!piece->started || !piece->kept) {
        progress.ended = final || (piece->started && !piece->kept);
        return {};
      }
      // While it runs, its file may not be there yet.
      if (piece->errnum != 0) {
        progress.ended = final;
        if (final) warn(task, *piece);
        return {};
      }
      print(job, task, piece->bytes);
      progress.position += piece->bytes.size();
      if (piece->bytes.empty() || is_all(*piece)) {
        progress.ended = final;
        return {};
      }
    }
    return {};
  }

  void print(JobId job, TaskId task, std::string_view bytes) {
    if (bytes.empty()) return;
    const auto whose = std::pair(job, task);
    if (headers_ && shown_ != whose)
      output_.print_raw(fmt::format("# Job {}, task {}\n", job.value, task.value));
    shown_ = whose;
    output_.print_raw(bytes);
  }

 private:
  static void warn(TaskId task, const msg::OutputPiece& piece) {
    log::warn(fmt::format("Output of task {} cannot be read: {}", task.value, os_error_text(piece.errnum)));
  }

  Client& client_;
  const StdStream stream_;
  const bool headers_;
  Output& output_;
  std::optional<std::pair<JobId, TaskId>> shown_;
};

// The tasks chosen, by job; which of the jobs may still get more.
struct Chosen {
  std::map<std::pair<JobId, TaskId>, bool> tasks;
  bool any_job = false;
  bool more_may_come = false;
};

Result<Chosen> choose(Client& client, const JobCatOptions& options) {
  msg::GetJobs request;
  request.jobs = selection_of(options.selector);
  request.tasks = msg::GetJobs::Tasks::kAll;
  request.ids = options.tasks;
  request.texts = false;
  const StateFilter wanted = state_filter(options.task_status);
  Answers answers = Answers::to(client, request);
  Chosen chosen;
  auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows& rows) -> Result<void> {
    chosen.any_job = true;
    chosen.more_may_come = chosen.more_may_come || job.info.is_open;
    return rows([&](const msg::TaskRow& row) {
      for_each_id(row, [&](TaskId id) {
        if (!is_final(row.state) || wanted.accepts(row.state)) chosen.tasks[{job.info.id, id}] = true;
      });
    });
  };
  auto on_missing = [&](JobId job) -> Result<void> {
    chosen.any_job = true;
    log::error(fmt::format("Job {} was not found", job.value));
    return {};
  };
  auto walked = for_each_job(answers, {on_job, on_missing});
  if (!walked) return walked.error();
  return chosen;
}

// The last lines of what there is, and how far that reaches.
struct Tail {
  std::string text;
  uint64_t end = 0;
};

size_t begin_of_lines(std::string_view text, uint32_t lines) {
  size_t at = text.size();
  if (at > 0 && text.back() == '\n') --at;
  for (; lines > 0; --lines) {
    const size_t newline = at == 0 ? text.npos : text.rfind('\n', at - 1);
    if (newline == text.npos) return 0;
    at = newline;
  }
  return at + 1;
}

// Grows towards the beginning until it has the lines.
Result<Tail> take_tail(Client& client, msg::ReadOutput request, const msg::OutputPiece& last,
                       uint32_t lines) {
  Tail tail{last.bytes, last.position + last.bytes.size()};
  uint64_t begin = last.position;
  while (begin > 0 && begin_of_lines(tail.text, lines) == 0) {
    const uint64_t from = begin - std::min<uint64_t>(begin, kMostAtOnce);
    std::string before;
    while (from + before.size() < begin) {
      request.from_end = false;
      request.position = from + before.size();
      request.most = uint32_t(begin - request.position);
      auto piece = client.call<msg::OutputPiece>(request);
      if (!piece) return piece.error();
      if (piece->errnum != 0 || piece->bytes.empty()) return tail;
      before += piece->bytes;
    }
    before.resize(begin - from);
    tail.text.insert(0, before);
    begin = from;
  }
  tail.text.erase(0, lines == 0 ? tail.text.size() : begin_of_lines(tail.text, lines));
  return tail;
}

Result<JobId> job_of(Client& client, const JobChoice& choice) {
  if (choice.id) return JobId(*choice.id);
  msg::GetJobs request;
  request.jobs = selection_of(choice);
  Answers answers = Answers::to(client, request);
  std::optional<JobId> found;
  auto walked =
      for_each_job(answers, {[&](const msg::JobDetail& job, const JobHandler::Rows&) -> Result<void> {
                               found = job.info.id;
                               return {};
                             },
                             [](JobId) -> Result<void> { return {}; }});
  if (!walked) return walked.error();
  if (!found) return Error("No jobs were found");
  return *found;
}

Result<void> tail_task(const TaskTailOptions& options, const CommandContext& context, Client& client,
                       Output& output) {
  auto job = job_of(client, options.job);
  if (!job) return job.error();
  const StdStream stream = options.stream.value_or(StdStream::kStdout);
  const TaskId task(options.task_id);
  const msg::ReadOutput request{*job, task, asked_channel(stream), 0, true, kMostAtOnce};
  auto last = client.call<msg::OutputPiece>(request);
  if (!last) return last.error();
  if (last->started && !last->kept) {
    return Error(fmt::format("Task {} has no `{}` stream associated with it", task.value, name_of(stream)));
  }
  Progress progress{last->instance, 0, false};
  if (last->started && last->errnum == 0) {
    auto tail = take_tail(client, request, *last, options.lines.value_or(kDefaultLines));
    if (!tail) return tail.error();
    output.print_raw(tail->text);
    progress.position = tail->end;
  } else if (last->errnum != 0 && (!options.follow || is_final(last->state))) {
    return Error(
        fmt::format("Output of task {} cannot be read: {}", task.value, os_error_text(last->errnum)));
  }
  OutputFollower follower(client, stream, /*headers=*/false, output);
  while (options.follow && !progress.ended) {
    auto looked = follower.look(*job, task, progress);
    if (!looked) return looked;
    if (!progress.ended) context.sleep_until(context.clock->now().mono + kPause);
  }
  return {};
}

}  // namespace

Result<bool> print_whole_output(Client& client, JobId job, TaskId task, StdStream stream, Output& output) {
  uint64_t position = 0;
  while (true) {
    auto piece = client.call<msg::OutputPiece>(
        msg::ReadOutput{job, task, asked_channel(stream), position, false, kMostAtOnce});
    if (!piece) return piece.error();
    if (!piece->started || !piece->kept || piece->errnum != 0) return position > 0;
    output.print_raw(piece->bytes);
    position += piece->bytes.size();
    if (piece->bytes.empty() || is_all(*piece)) return true;
  }
}

int follow_jobs(const JobCatOptions& options, const CommandContext& context, Output& output) {
  if (output.json()) return output.print_error(Error("JSON output mode doesn't support job output"));
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  OutputFollower follower(*client, options.stream, options.print_task_header, output);
  std::map<std::pair<JobId, TaskId>, Progress> progress;
  while (true) {
    auto chosen = choose(*client, options);
    if (!chosen) return output.print_error(chosen.error());
    if (!chosen->any_job) log::error("No jobs were found");
    bool all_ended = !chosen->more_may_come || options.tasks.has_value();
    for (const auto& [whose, wanted] : chosen->tasks) {
      Progress& mine = progress[whose];
      if (auto looked = follower.look(whose.first, whose.second, mine); !looked) {
        return output.print_error(looked.error());
      }
      all_ended = all_ended && mine.ended;
    }
    if (all_ended) return output.finish();
    context.sleep_until(context.clock->now().mono + kPause);
  }
}

int run_task_tail(const TaskTailOptions& options, const CommandContext& context, Output& output) {
  if (output.json()) return output.print_error(Error("JSON output mode doesn't support job output"));
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto printed = tail_task(options, context, *client, output);
  if (!printed) return output.print_error(printed.error());
  return output.finish();
}

}  // namespace hq::cli
