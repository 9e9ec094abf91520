#include "cli/commands/alloc_params.h"

#include <algorithm>

#include "hq/core/text/duration_text.h"

namespace hq::cli {
namespace {

constexpr Duration kLongIdleTimeout = 10min;

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

// In the order that scripts know.
std::vector<std::string> worker_words(const AllocQueueOptions& options) {
  const WorkerConfigOptions& config = options.config;
  const WorkerConfigTexts& texts = options.texts;
  std::vector<std::string> words;
  const auto add = [&](const char* option, const std::string& value) {
    words.emplace_back(option);
    words.push_back(value);
  };
  if (texts.cpus) add("--cpus", quoted(*texts.cpus));
  for (const std::string& resource : texts.resources) add("--resource", quoted(resource));
  if (config.coupling) add("--coupling", quoted(*config.coupling));
  if (config.group) add("--group", *config.group);
  if (config.no_hyper_threading) words.emplace_back("--no-hyper-threading");
  if (texts.detect_resources) add("--detect-resources", *texts.detect_resources);
  if (texts.overview_interval) add("--overview-interval", quoted(*texts.overview_interval));
  if (config.min_utilization.value_or(0) > 0) add("--min-utilization", *texts.min_utilization);
  const auto lost = config.on_server_lost.value_or(ServerLostPolicy::kFinishRunning);
  add("--on-server-lost", quoted(lost == ServerLostPolicy::kStop ? "stop" : "finish-running"));
  add("--time-limit", quoted(duration_text(options.worker_time_limit.value_or(*options.time_limit))));
  return words;
}

// What the workers will have as far as the options tell; nothing when they tell nothing, or nonsense.
std::optional<ResourceDescriptor> estimated_resources(const WorkerConfigOptions& config) {
  ResourceDescriptor resources;
  if (config.cpus) resources.items.push_back({std::string(kCpus), *config.cpus});
  for (const ResourceItem& item : config.resources) resources.items.push_back(item);
  std::sort(resources.items.begin(), resources.items.end(),
            [](const ResourceItem& a, const ResourceItem& b) { return a.name < b.name; });
  const bool twice = std::adjacent_find(resources.items.begin(), resources.items.end(),
                                        [](const auto& a, const auto& b) { return a.name == b.name; }) !=
                     resources.items.end();
  const bool empty = std::any_of(resources.items.begin(), resources.items.end(),
                                 [](const ResourceItem& item) { return item.size().is_zero(); });
  if (resources.items.empty() || twice || empty) return std::nullopt;
  return resources;
}

}  // namespace

Result<AllocParams> make_alloc_params(const AllocQueueOptions& options,
                                      const std::function<void(const std::string&)>& warn) {
  if (options.config.idle_timeout.value_or(Duration(0)) > kLongIdleTimeout) {
    warn(
        "You have set an idle timeout longer than 10 minutes. This can result in wasted allocation "
        "duration.");
  }
  if (options.worker_time_limit && *options.worker_time_limit > *options.time_limit)
    return Error("Worker time limit cannot be larger than queue time limit");
  if (!options.config.cpus && options.config.resources.empty()) {
    warn(
        "No worker resources were provided for this queue. Before the first worker connects from an "
        "allocation submitted by this queue, the queue will operate in probing mode.");
  }
  AllocParams params;
  params.manager = options.manager;
  params.max_workers_per_alloc = options.max_workers_per_alloc.value_or(1);
  params.backlog = options.backlog.value_or(1);
  params.time_limit = *options.time_limit;
  params.worker_time_limit = options.worker_time_limit;
  params.name = options.name;
  params.max_worker_count = options.max_worker_count;
  params.min_utilization = double{options.config.min_utilization.value_or(0)};
  params.additional_args = options.additional_args;
  params.worker_start_cmd = options.worker_start_cmd;
  params.worker_stop_cmd = options.worker_stop_cmd;
  params.worker_wrap_cmd = options.worker_wrap_cmd;
  params.resources = estimated_resources(options.config);
  params.worker_args = worker_words(options);
  params.idle_timeout = options.config.idle_timeout;
  return params;
}

}  // namespace hq::cli
