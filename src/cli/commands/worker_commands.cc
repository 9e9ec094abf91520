// `hq worker stop|list|info|address|wait`.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/commands/live_line.h"
#include "cli/commands/selection.h"
#include "cli/commands/service_commands.h"
#include "cli/commands/show_worker.h"
#include "hq/base/log.h"

namespace hq::cli {
namespace {

// Between two looks at how many workers there are: short at first, then kind to a server with very many.
constexpr Duration kFirstPause = 50ms;
constexpr Duration kLongestPause = 1s;

struct FoundWorkers {
  std::vector<msg::WorkerDetail> workers;
  std::vector<WorkerId> unknown;
};

// All pages of the answer to ListWorkers or GetWorkers.
Result<FoundWorkers> ask_workers(Client& client, const msg::ClientRequest& request) {
  FoundWorkers found;
  auto asked = client.call_each(request, [&](msg::ClientReply&& reply) -> Result<void> {
    if (auto* page = std::get_if<msg::WorkerList>(&reply)) {
      std::move(page->workers.begin(), page->workers.end(), std::back_inserter(found.workers));
    } else if (auto* missing = std::get_if<msg::WorkerNotFound>(&reply)) {
      found.unknown.push_back(missing->worker);
    } else {
      return Error(fmt::format("The server answered with an unexpected message '{}'", type_name(reply)));
    }
    return {};
  });
  if (!asked) return asked.error();
  return found;
}

std::string not_found_text(uint32_t worker) {
  return fmt::format("Worker {} not found", worker);
}

void log_stopped(const msg::ItemResult& item) {
  switch (item.outcome) {
    case msg::ItemResult::Outcome::kOk:
      return log::info(fmt::format("Worker {} stopped", item.id));
    case msg::ItemResult::Outcome::kNotFound:
      return log::error(fmt::format("Stopping worker {} failed; worker not found", item.id));
    case msg::ItemResult::Outcome::kAlreadyEnded:
      return log::warn(fmt::format("Stopping worker {} failed; worker is already stopped", item.id));
  }
}

void log_resumed(const msg::ItemResult& item) {
  switch (item.outcome) {
    case msg::ItemResult::Outcome::kOk:
      return log::info(fmt::format("Worker {} resumed", item.id));
    case msg::ItemResult::Outcome::kNotFound:
      return log::error(fmt::format("Resuming worker {} failed; worker not found", item.id));
    case msg::ItemResult::Outcome::kAlreadyEnded:
      return log::warn(fmt::format("Resuming worker {} failed; worker is not suspect", item.id));
  }
}

// Whoever lists workers shall not have to look for trouble.
void point_at_suspects(const std::vector<msg::WorkerDetail>& workers) {
  const auto suspect = size_t(std::count_if(
      workers.begin(), workers.end(), [](const auto& worker) { return worker.suspicion && !worker.lost; }));
  if (suspect == 0) return;
  log::warn(fmt::format("{} suspect (see `hq worker list --filter=suspect`)",
                        suspect == 1 ? "1 of them is" : fmt::format("{} of them are", suspect)));
}

}  // namespace

int run_worker_stop(const WorkerStopOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto results = client->call<msg::ItemResults>(msg::StopWorkers{selection_of(options.selector), false});
  if (!results) return output.print_error(results.error());
  for (const msg::ItemResult& item : results->items) log_stopped(item);
  return output.finish();
}

int run_worker_resume(const WorkerResumeOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto results = client->call<msg::ItemResults>(msg::ResumeWorkers{selection_of(options.selector)});
  if (!results) return output.print_error(results.error());
  for (const msg::ItemResult& item : results->items) log_resumed(item);
  return output.finish();
}

int run_worker_list(const WorkerListOptions& options, const CommandContext& context, Output& output) {
  const bool only_offline = options.filter == WorkerFilter::kOffline;
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto found = ask_workers(*client, msg::ListWorkers{options.all || only_offline});
  if (!found) return output.print_error(found.error());
  if (only_offline) std::erase_if(found->workers, [](const auto& worker) { return !worker.lost; });
  if (options.filter == WorkerFilter::kSuspect) {
    std::erase_if(found->workers, [](const auto& worker) { return !worker.suspicion; });
    print_suspect_workers(found->workers, output);
  } else {
    print_worker_list(found->workers, output);
    if (output.cli()) point_at_suspects(found->workers);
  }
  return output.finish();
}

int run_worker_info(const WorkerInfoOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto found = ask_workers(*client, msg::GetWorkers{selection_of(options.selector)});
  if (!found) return output.print_error(found.error());
  for (WorkerId worker : found->unknown) log::error(not_found_text(worker.value));
  print_worker_infos(found->workers, output);
  return output.finish();
}

int run_worker_address(const WorkerAddressOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  const msg::Selection wanted{msg::Selection::Kind::kIds, IdArray::single(options.worker_id)};
  auto found = ask_workers(*client, msg::GetWorkers{wanted});
  if (!found) return output.print_error(found.error());
  if (found->workers.empty()) return output.print_error(Error(not_found_text(options.worker_id)));
  output.print_raw(found->workers.front().config.hostname + "\n");
  return output.finish();
}

int run_worker_wait(const WorkerWaitOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  Duration pause = kFirstPause;
  LiveLine line(context, output);
  while (true) {
    auto online = ask_workers(*client, msg::ListWorkers{});
    if (!online) return output.print_error(online.error());
    if (online->workers.size() >= options.count) return output.finish();
    if (const auto due = line.due(); due && *due <= context.clock->now().mono)
      line.draw(fmt::format("{} of {} workers", online->workers.size(), options.count));
    // Stays on the line, so that the end of the server shows at once.
    if (auto stayed = client->stay_until(context.clock->now().mono + pause); !stayed) {
      return output.print_error(stayed.error());
    }
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace hq::cli
