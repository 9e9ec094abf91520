#include "cli/commands/alloc_commands.h"

#include <fmt/format.h>

#include <utility>

#include "cli/commands/alloc_params.h"
#include "cli/commands/show_alloc.h"
#include "hq/base/log.h"
#include "hq/core/text/failure_text.h"

namespace hq::cli {
namespace {

constexpr const char* kTrialWorked =
    "A trial allocation was submitted successfully. It was immediately canceled to avoid wasting resources.";

void warn(const std::string& text) {
  log::warn(text);
}

// What the server refuses is shown as the original does.
int refused(const Error& error, Output& output) {
  return output.print_error(Error("Error: " + error.message));
}

// A request that is answered with Done.
template <class Request>
int change_queue(const Request& request, const std::string& done, const CommandContext& context,
                 Output& output) {
  Result<Client> client = context.connect();
  if (!client) return output.print_error(client.error());
  if (auto answer = client->call<msg::Done>(request); !answer) return refused(answer.error(), output);
  log::info(done);
  return output.finish();
}

std::string queue_text(uint32_t queue, const char* what) {
  return fmt::format("Allocation queue {} successfully {}", queue, what);
}

}  // namespace

int run_alloc_add(const AllocAddOptions& options, const CommandContext& context, Output& output) {
  auto params = make_alloc_params(options.queue, warn);
  if (!params) return output.print_error(params.error());
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  const bool no_trial = options.queue.no_dry_run;
  auto added = client->call<msg::AllocQueueAdded>(msg::AddAllocQueue{std::move(*params), no_trial});
  if (!added) {
    if (!no_trial) log::error("Dry-run (test allocation submission) has failed");
    return output.print_error(added.error());
  }
  if (!no_trial) log::info(kTrialWorked);
  log::info(queue_text(added->queue.value, "created"));
  return output.finish();
}

int run_alloc_dry_run(const AllocDryRunOptions& options, const CommandContext& context, Output& output) {
  auto params = make_alloc_params(options.queue, warn);
  if (!params) return output.print_error(params.error());
  return change_queue(msg::TryAllocation{std::move(*params)}, kTrialWorked, context, output);
}

int run_alloc_list(const AllocListOptions&, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto list = client->call<msg::AllocQueueList>(msg::ListAllocQueues{});
  if (!list) return refused(list.error(), output);
  print_alloc_queues(list->queues, output);
  return output.finish();
}

int run_alloc_info(const AllocInfoOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto list = client->call<msg::AllocationList>(msg::GetAllocations{AllocQueueId(options.queue)});
  if (!list) return refused(list.error(), output);
  print_allocations(std::move(list->allocations), options.filter, output);
  if (const auto why = back_off_text(list->queue); why && output.cli()) log::warn(*why);
  return output.finish();
}

int run_alloc_log(const AllocLogOptions& options, const CommandContext& context, Output& output) {
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto place = client->call<msg::AllocationPlace>(msg::FindAllocation{options.allocation});
  if (!place) return refused(place.error(), output);
  if (output.json()) return output.print_error(Error("JSON output mode doesn't support allocation output"));
  const std::string path = place->directory + (options.channel == StdStream::kStdout ? "/stdout" : "/stderr");
  log::info("Outputting allocation path at " + path);
  const int errnum =
      context.files->read_in_pieces(path, [&](std::string_view bytes) { output.print_raw(bytes); });
  if (errnum != 0) log::warn(fmt::format("File at `{}` cannot be opened: {}", path, os_debug_text(errnum)));
  return output.finish();
}

int run_alloc_pause(const AllocPauseOptions& options, const CommandContext& context, Output& output) {
  return change_queue(msg::PauseAllocQueue{AllocQueueId(options.queue)}, queue_text(options.queue, "paused"),
                      context, output);
}

int run_alloc_resume(const AllocResumeOptions& options, const CommandContext& context, Output& output) {
  return change_queue(msg::ResumeAllocQueue{AllocQueueId(options.queue)},
                      queue_text(options.queue, "resumed"), context, output);
}

int run_alloc_remove(const AllocRemoveOptions& options, const CommandContext& context, Output& output) {
  return change_queue(msg::RemoveAllocQueue{AllocQueueId(options.queue), options.force},
                      queue_text(options.queue, "removed"), context, output);
}

}  // namespace hq::cli
