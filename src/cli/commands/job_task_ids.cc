// hq job task-ids.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/commands/answers.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/job_printers.h"
#include "cli/commands/selection.h"
#include "cli/commands/task_text.h"

namespace hq::cli {
namespace {

// Ascending ids as maximal runs of consecutive ones; rows come in ascending order.
class Runs {
 public:
  void add(const msg::TaskRow& row) {
    if (row.ids.step == 1) {
      add(row.ids.first, row.ids.last);
    } else {
      for_each_id(row, [&](TaskId id) { add(id.value, id.value); });
    }
  }
  [[nodiscard]] const IdArray& ids() const { return ids_; }

 private:
  void add(uint32_t first, uint32_t last) {
    if (!ids_.parts.empty() && uint64_t{ids_.parts.back().range.last} + 1 == first) {
      ids_.parts.back().range.last = last;
      ids_.parts.back().bound = last;
    } else {
      ids_.parts.push_back({{first, last, 1}, last});
    }
  }
  IdArray ids_;
};

void print_as_lines(const std::map<JobId, Runs>& jobs, Output& output) {
  for (const auto& [job, runs] : jobs) {
    const std::string ids = runs.ids().text();
    output.print_line(jobs.size() == 1 ? ids : fmt::format("{}: {}", job.value, ids));
  }
}

void print_as_json(const std::map<JobId, Runs>& jobs, Output& output) {
  std::map<std::string, const Runs*> by_text;
  for (const auto& [job, runs] : jobs) by_text.emplace(job.text(), &runs);
  output.print_json([&](JsonWriter& json) {
    json.begin_object();
    for (const auto& [job, runs] : by_text) {
      json.key(job);
      json.begin_array();
      for (const IdArray::Part& part : runs->ids().parts) {
        for (uint64_t id = part.range.first; id <= part.range.last; ++id) json.value(id);
      }
      json.end_array();
    }
    json.end_object();
  });
}

}  // namespace

Result<void> print_task_ids(Answers& answers, const std::vector<StatusFilter>& filter, Output& output) {
  const StateFilter wanted = state_filter(filter);
  std::map<JobId, Runs> jobs;
  auto on_job = [&](const msg::JobDetail& job, const JobHandler::Rows& rows) {
    Runs& runs = jobs[job.info.id];
    return rows([&](const msg::TaskRow& row) {
      if (wanted.accepts(row.state)) runs.add(row);
    });
  };
  auto on_missing = [](JobId) -> Result<void> { return Error("Error: Job Id not found"); };
  if (auto walked = for_each_job(answers, {on_job, on_missing}); !walked) return walked;
  print_as_lines(jobs, output);
  print_as_json(jobs, output);
  return {};
}

int run_job_task_ids(const JobTaskIdsOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  const StateFilter wanted = state_filter(options.filter);
  msg::GetJobs request;
  request.jobs = selection_of(options.selector);
  request.tasks = wanted.none ? msg::GetJobs::Tasks::kNone : msg::GetJobs::Tasks::kAll;
  request.states = wanted.states;
  request.texts = false;
  Answers answers = Answers::to(*client, request);
  if (auto printed = print_task_ids(answers, options.filter, output); !printed) {
    return output.print_error(printed.error());
  }
  return output.finish();
}

}  // namespace hq::cli
