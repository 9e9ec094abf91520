// hq job list, hq job summary.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/commands/answers.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/job_json.h"
#include "cli/commands/job_printers.h"
#include "cli/commands/selection.h"
#include "hq/core/text/display_text.h"

namespace hq::cli {
namespace {

constexpr size_t kQuietPiece = size_t{1} << 16;

// The jobs that the server knows, one by one; returns how many there were.
Result<uint64_t> for_each_summary(Answers& answers, const std::function<void(const msg::JobSummary&)>& take) {
  uint64_t total = 0;
  while (true) {
    auto reply = answers.take();
    if (!reply) return reply.error();
    if (!*reply) return total;
    const auto* page = std::get_if<msg::JobList>(&**reply);
    if (page == nullptr) return unexpected_answer(**reply);
    total += page->jobs.size();
    for (const msg::JobSummary& job : page->jobs) take(job);
  }
}

// Open jobs are listed in any state, but not where states are named.
bool is_listed(const JobListOptions& options, const msg::JobSummary& job) {
  const msg::JobStatus status = status_of(job);
  if (!options.filter.empty()) {
    return std::find(options.filter.begin(), options.filter.end(), filter_of(status)) != options.filter.end();
  }
  return options.all || job.is_open || status == msg::JobStatus::kWaiting ||
         status == msg::JobStatus::kRunning || status == msg::JobStatus::kOpened;
}

void add_to_table(Table& table, const msg::JobSummary& job, bool verbose) {
  const std::string status(job_status_text(status_of(job)));
  Table::Row row{Cell::right((job.is_open ? "*" : "") + job.id.text()), Cell(shorten_name(job.name)),
                 Cell(status, task_state_color(status)), Cell(std::to_string(job.task_count))};
  if (verbose) row.emplace_back(job.cancel_reason.value_or(""));
  table.add_row(std::move(row));
}

Result<void> print_as_table(Answers& answers, const JobListOptions& options, Output& output) {
  std::vector<std::string> header{"ID", "Name", "State", "Tasks"};
  if (options.verbose) header.emplace_back("Cancel Reason");
  Table table = Table::horizontal(header);
  bool any_open = false;
  auto total = for_each_summary(answers, [&](const msg::JobSummary& job) {
    if (!is_listed(options, job)) return;
    any_open = any_open || job.is_open;
    add_to_table(table, job, options.verbose);
  });
  if (!total) return total.error();
  output.print_table(table);
  if (any_open) output.print_line("* = Open jobs");
  if (*total > table.row_count()) {
    output.print_line(fmt::format("There {} {} in total. Use `--all` to display all jobs.",
                                  *total == 1 ? "is" : "are", counted(*total, "job")));
  }
  return {};
}

Result<void> print_as_json(Answers& answers, const JobListOptions& options, Output& output) {
  if (auto first = answers.peek(); !first) return first.error();
  Result<void> result;
  output.print_json([&](JsonWriter& json) {
    json.begin_array();
    auto total = for_each_summary(answers, [&](const msg::JobSummary& job) {
      if (is_listed(options, job)) write_job_summary(json, job);
    });
    json.end_array();
    if (!total) result = total.error();
  });
  return result;
}

// Many lines in one piece: a call of the system for each would cost more than all else.
Result<void> print_as_lines(Answers& answers, const JobListOptions& options, Output& output) {
  std::string lines;
  auto print = [&] {
    if (!lines.empty()) output.print_quiet(lines);
    lines.clear();
  };
  auto total = for_each_summary(answers, [&](const msg::JobSummary& job) {
    if (!is_listed(options, job)) return;
    if (!lines.empty()) lines += '\n';
    const fmt::format_int id(job.id.value);
    lines.append(id.data(), id.size()).append(1, ' ').append(job_status_text(status_of(job)));
    if (lines.size() >= kQuietPiece) print();
  });
  print();
  return total ? Result<void>() : total.error();
}

constexpr size_t kStatuses = size_t(msg::JobStatus::kOpened) + 1;
using StatusCounts = std::array<uint64_t, kStatuses>;

void print_counts(const StatusCounts& counts, Output& output) {
  using enum msg::JobStatus;
  Table table = Table::horizontal({"Status", "Count"});
  for (msg::JobStatus status : {kRunning, kWaiting, kFinished, kFailed, kAborted, kCanceled}) {
    const std::string name(job_status_text(status));
    const std::string count = std::to_string(counts[size_t(status)]);
    table.add_row({Cell(name, task_state_color(name)), Cell::right(count)});
    output.print_quiet(name + " " + count);
  }
  output.print_table(table);
  output.print_json([&](JsonWriter& json) {
    json.begin_object();
    auto member = [&](std::string_view name, msg::JobStatus status) {
      json.member(name, counts[size_t(status)]);
    };
    member("Aborted", kAborted);
    member("Canceled", kCanceled);
    member("Failed", kFailed);
    member("Finished", kFinished);
    if (counts[size_t(kOpened)] > 0) member("Opened", kOpened);
    member("Running", kRunning);
    member("Waiting", kWaiting);
    json.end_object();
  });
}

}  // namespace

Result<void> print_job_list(Answers& answers, const JobListOptions& options, Output& output) {
  if (output.json()) return print_as_json(answers, options, output);
  if (output.quiet()) return print_as_lines(answers, options, output);
  return print_as_table(answers, options, output);
}

Result<void> print_job_statuses(Answers& answers, Output& output) {
  StatusCounts counts{};
  auto total =
      for_each_summary(answers, [&](const msg::JobSummary& job) { ++counts[size_t(status_of(job))]; });
  if (!total) return total.error();
  print_counts(counts, output);
  return {};
}

int run_job_list(const JobListOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  Answers answers = Answers::to(*client, msg::ListJobs{});
  if (auto printed = print_job_list(answers, options, output); !printed) {
    return output.print_error(printed.error());
  }
  return output.finish();
}

int run_job_summary(const JobSummaryOptions&, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  Answers answers = Answers::to(*client, msg::ListJobs{});
  if (auto printed = print_job_statuses(answers, output); !printed) {
    return output.print_error(printed.error());
  }
  return output.finish();
}

}  // namespace hq::cli
