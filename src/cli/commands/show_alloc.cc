#include "cli/commands/show_alloc.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/commands/show_worker.h"
#include "hq/core/text/duration_text.h"
#include "hq/core/text/resource_summary_text.h"

namespace hq::cli {
namespace {

void write_words(JsonWriter& json, std::string_view name, const std::vector<std::string>& words) {
  json.key(name);
  json.begin_array();
  for (const std::string& word : words) json.value(word);
  json.end_array();
}

// Beside what the original shows, and only while there is something to say.
void write_back_off(JsonWriter& json, const msg::AllocQueueInfo& queue) {
  if (!back_off_text(queue)) return;
  json.key("back_off");
  json.begin_object();
  json.member("failed_allocations", queue.failed_allocations);
  json.member("failed_submissions", queue.failed_submissions);
  json.member("last_failure", queue.last_failure);
  json.key("next_attempt");
  queue.next_attempt && !queue.paused ? json.value(rfc3339_text(*queue.next_attempt)) : json.null();
  json.end_object();
}

void write_queue(JsonWriter& json, const msg::AllocQueueInfo& queue) {
  const AllocParams& params = queue.params;
  json.begin_object();
  write_words(json, "additional_args", params.additional_args);
  write_back_off(json, queue);
  json.member("backlog", params.backlog);
  json.member("id", queue.id.value);
  json.key("known_worker_resources");
  queue.known_resources ? write_worker_resources(json, *queue.known_resources) : json.null();
  json.member("manager", params.manager == ManagerKind::kPbs ? "PBS" : "Slurm");
  json.member("max_worker_count", params.max_worker_count);
  json.member("max_workers_per_alloc", params.max_workers_per_alloc);
  json.member("name", params.name);
  json.member("state", queue.paused ? "Paused" : "Active");
  json.member("timelimit", std::chrono::duration<double>(params.time_limit).count());
  write_words(json, "worker_args", params.worker_args);
  json.end_object();
}

std::string upper(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = char(c - 'a' + 'A');
  return out;
}

// It ended otherwise than by the end of all its workers, or by our will.
bool ended_unexpectedly(const msg::AllocationInfo& allocation) {
  return allocation.end == AllocationEndKind::kUnexpected || allocation.end == AllocationEndKind::kUnknown;
}

// As in the original: those that ended unexpectedly are neither finished nor failed.
bool passes(const msg::AllocationInfo& allocation, AllocationFilter filter) {
  switch (filter) {
    case AllocationFilter::kQueued:
      return allocation.state == AllocationState::kQueued;
    case AllocationFilter::kRunning:
      return allocation.state == AllocationState::kRunning;
    case AllocationFilter::kFinished:
      return allocation.end && !ended_unexpectedly(allocation);
    case AllocationFilter::kFailed:
      break;
  }
  return allocation.state == AllocationState::kFailed && !ended_unexpectedly(allocation);
}

void write_moment(JsonWriter& json, std::string_view name, const std::optional<WallTime>& time, bool known) {
  json.key(name);
  time&& known ? json.value(rfc3339_text(*time)) : json.null();
}

void write_allocation(JsonWriter& json, const msg::AllocationInfo& allocation) {
  const bool times = !ended_unexpectedly(allocation);
  json.begin_object();
  write_moment(json, "ended_at", allocation.ended, times);
  json.member("id", allocation.id);
  json.member("queued_at", rfc3339_text(allocation.queued));
  write_moment(json, "started_at", allocation.started, times);
  json.member("status", name_of(allocation.state));
  json.member("target_worker_count", allocation.workers);
  json.member("workdir", allocation.directory);
  json.end_object();
}

std::string moment(const std::optional<WallTime>& time) {
  return time ? local_text(*time) : "";
}

}  // namespace

void print_alloc_queues(const std::vector<msg::AllocQueueInfo>& queues, Output& output) {
  output.print_json([&](JsonWriter& json) {
    json.begin_array();
    for (const msg::AllocQueueInfo& queue : queues) write_queue(json, queue);
    json.end_array();
  });
  Table table = Table::horizontal({"ID", "State", "Backlog size", "Max workers per alloc", "Max worker count",
                                   "Timelimit", "Manager", "Worker resources", "Name", "Args"});
  for (const msg::AllocQueueInfo& queue : queues) {
    const AllocParams& params = queue.params;
    table.add_row({queue.id.text(), queue.paused ? "PAUSED" : "ACTIVE", std::to_string(params.backlog),
                   std::to_string(params.max_workers_per_alloc),
                   std::to_string(params.max_worker_count.value_or(0)), duration_text(params.time_limit),
                   params.manager == ManagerKind::kPbs ? "PBS" : "SLURM",
                   queue.known_resources ? resources_line(*queue.known_resources) : "<unknown>",
                   params.name.value_or(""), fmt::format("{}", fmt::join(params.additional_args, ","))});
  }
  output.print_table(table);
}

void print_allocations(std::vector<msg::AllocationInfo> allocations, std::optional<AllocationFilter> filter,
                       Output& output) {
  if (filter)
    std::erase_if(allocations, [&](const auto& allocation) { return !passes(allocation, *filter); });
  std::stable_sort(allocations.begin(), allocations.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  output.print_json([&](JsonWriter& json) {
    json.begin_array();
    for (const msg::AllocationInfo& allocation : allocations) write_allocation(json, allocation);
    json.end_array();
  });
  Table table = Table::horizontal(
      {"ID", "State", "Working directory", "Worker count", "Queue time", "Start time", "Finish time"});
  for (const msg::AllocationInfo& allocation : allocations) {
    table.add_row({allocation.id, upper(name_of(allocation.state)), allocation.directory,
                   std::to_string(allocation.workers), local_text(allocation.queued),
                   moment(allocation.started), moment(allocation.ended)});
  }
  output.print_table(table);
}

std::optional<std::string> back_off_text(const msg::AllocQueueInfo& queue) {
  if (queue.paused ? !queue.paused_by_failures : !queue.next_attempt) return std::nullopt;
  const auto times = [](uint32_t n, const char* what) {
    return fmt::format("{} {}{} failed", n, what, n == 1 ? "" : "s");
  };
  std::string why;
  if (queue.failed_submissions > 0) why = times(queue.failed_submissions, "submission");
  if (queue.failed_allocations > 0)
    why += (why.empty() ? "" : " and ") + times(queue.failed_allocations, "allocation");
  if (!queue.last_failure.empty()) why += fmt::format(", the last one so: {}", queue.last_failure);
  if (queue.paused) {
    return fmt::format("Queue {} was paused: {}. `hq alloc resume {}` lets it try again at once",
                       queue.id.value, why, queue.id.value);
  }
  return fmt::format("Queue {} submits nothing before {}: {}", queue.id.value,
                     local_text(*queue.next_attempt), why);
}

}  // namespace hq::cli
