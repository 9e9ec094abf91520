// hq submit, hq job submit.
#include <fmt/format.h>

#include <cerrno>
#include <optional>

#include "cli/commands/answers.h"
#include "cli/commands/entries.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/selection.h"
#include "cli/commands/submit_config.h"
#include "cli/commands/submit_request.h"
#include "cli/commands/waiting.h"
#include "hq/base/log.h"

namespace hq::cli {
namespace {

constexpr size_t kBigFile = size_t{100} << 20;

Result<std::string> read_entry_file(const std::string& path, LocalFiles& files) {
  LocalFiles::Content content = files.read(path);
  if (content.errnum != 0) return os_error(content.errnum);
  if (content.bytes.size() > kBigFile) {
    log::warn(fmt::format("Reading a big file: {} has {} MiB", path, content.bytes.size() >> 20));
  }
  return std::move(content.bytes);
}

Result<std::optional<Entries>> read_entries(const TaskConfigOptions& config, LocalFiles& files) {
  if (!config.each_line && !config.from_json) return std::optional<Entries>();
  const std::string& path = config.each_line ? *config.each_line : *config.from_json;
  log::info(fmt::format("Reading {}file: {}", config.each_line ? "" : "json ", path));
  auto content = read_entry_file(path, files);
  if (!content) return content.error();
  auto entries = config.each_line ? entries_of_lines(std::move(*content)) : entries_of_json(*content, path);
  if (!entries) return entries.error();
  return std::optional(std::move(*entries));
}

Result<msg::Submit> prepare(const SubmitOptions& options, const CommandContext& context, Output& output) {
  if (context.working_directory.empty()) return os_error(ENOENT);  // it is gone, or may not be read
  SubmitFacts facts;
  facts.log_path = options.log;
  facts.submit_dir = context.working_directory;
  if (options.job) facts.job = JobId(*options.job);
  if (options.use_stdin) {
    output.print_raw("Reading data from stdin. In the interactive mode press Ctrl-D to submit.\n");
    auto data = context.read_stdin();
    if (!data) return data.error();
    facts.stdin_data = std::move(*data);
  }
  auto resolved = resolve_directives(options, facts.stdin_data, *context.files);
  if (!resolved) return resolved.error();
  auto entries = read_entries(resolved->config, *context.files);
  if (!entries) return entries.error();
  facts.entries = std::move(*entries);
  auto request = make_submit(std::move(*resolved), std::move(facts));
  if (!request) return request.error();
  for (const std::string& warning : request->warnings) log::warn(warning);
  return std::move(request->message);
}

void print_submitted(JobId job, Output& output) {
  output.print_line(fmt::format("Job submitted {}, job ID: {}",
                                output.style().paint(Color::kGreen, "successfully"), job.value));
  output.print_json_id(job.value);
  output.print_quiet(job.text());
}

}  // namespace

int run_job_resubmit(const JobResubmitOptions& options, const CommandContext& context, Output& output) {
  const StateFilter wanted = state_filter(options.status);
  if (wanted.none) return output.print_error(Error("No task is ever `opened`"));
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto submitted = client->call<msg::Submitted>(msg::ResubmitJob{selection_of(options.job), wanted.states});
  if (!submitted) return output.print_error(submitted.error());
  print_submitted(submitted->job, output);
  return output.finish();
}

int run_submit(const SubmitOptions& options, const CommandContext& context, Output& output) {
  // Connecting goes on while files are read.
  auto client = context.connect();
  if (!client) return output.print_error(client.error());
  auto message = prepare(options, context, output);
  if (!message) return output.print_error(message.error());
  message->notices = options.wait && options.on_notify;
  const RequestId request = client->send(std::move(*message));
  auto reply = client->next(request);
  if (!reply) return output.print_error(reply.error());
  const auto* submitted = std::get_if<msg::Submitted>(&*reply);
  if (submitted == nullptr) return output.print_error(unexpected_answer(*reply));
  print_submitted(submitted->job, output);
  if (!options.wait && !options.progress) return output.finish();
  Result<void> waited;
  Follower follower(context, std::move(*client));
  if (options.wait) {
    std::optional<NotifyCallback> callback;
    WaitFor what{selection_of(submitted->job)};
    if (options.on_notify) {
      callback.emplace(*options.on_notify, context);
      what.callback = &*callback;
      what.begun = request;
    }
    waited = wait_for_jobs(follower, what, context, output);
  }
  if (options.progress) waited = show_progress_of_submitted(follower, submitted->job, output);
  if (!waited) return output.print_error(waited.error());
  return output.finish();
}

}  // namespace hq::cli
