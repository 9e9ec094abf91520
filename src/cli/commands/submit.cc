// hq submit, hq job submit.
#include <fmt/format.h>

#include <cerrno>
#include <optional>

#include "cli/commands/answers.h"
#include "cli/commands/entries.h"
#include "cli/commands/entry_upload.h"
#include "cli/commands/job_commands.h"
#include "cli/commands/live_line.h"
#include "cli/commands/selection.h"
#include "cli/commands/submit_config.h"
#include "cli/commands/submit_request.h"
#include "cli/commands/waiting.h"
#include "hq/base/log.h"

namespace hq::cli {
namespace {

constexpr size_t kBigFile = size_t{100} << 20;

void warn_of_size(const std::string& path, size_t bytes) {
  if (bytes > kBigFile) log::warn(fmt::format("Reading a big file: {} has {} MiB", path, bytes >> 20));
}

// With an `upload` the entries go ahead of the submit as they are read; those left over are returned.
Result<Entries> read_lines(const std::string& path, EntryUpload* upload, const CommandContext& context,
                           Output& output) {
  const size_t size = context.files->size_of(path);
  LineEntries lines(upload != nullptr ? 2 * EntryUpload::kPiece : size);
  LiveLine line(context, output);
  Result<void> sent;
  const int errnum = context.files->read_in_pieces(path, [&](std::string_view piece) {
    lines.take(piece);
    if (upload != nullptr && sent && lines.ended_bytes() >= EntryUpload::kPiece) {
      sent = upload->send(lines.take_ended(), size);
    }
    if (!line.is_due()) return;
    const std::string of = size > lines.bytes() ? fmt::format(" of {}", size >> 20) : "";
    line.draw(fmt::format("Reading {}: {}{} MiB", path, lines.bytes() >> 20, of));
  });
  line.erase();
  if (errnum != 0) return os_error(errnum);
  if (!sent) return sent.error();
  warn_of_size(path, lines.bytes());
  return lines.finish();
}

Result<Entries> read_json(const std::string& path, LocalFiles& files) {
  const LocalFiles::Content content = files.read(path);
  if (content.errnum != 0) return os_error(content.errnum);
  warn_of_size(path, content.bytes.size());
  return entries_of_json(content.bytes, path);
}

Result<std::optional<Entries>> read_entries(const TaskConfigOptions& config, EntryUpload& upload,
                                            const CommandContext& context, Output& output) {
  if (!config.each_line && !config.from_json) return std::optional<Entries>();
  const std::string& path = config.each_line ? *config.each_line : *config.from_json;
  log::info(fmt::format("Reading {}file: {}", config.each_line ? "" : "json ", path));
  // An array chooses among all of them.
  EntryUpload* const ahead = config.array ? nullptr : &upload;
  auto entries =
      config.each_line ? read_lines(path, ahead, context, output) : read_json(path, *context.files);
  if (!entries) return entries.error();
  return std::optional(std::move(*entries));
}

Result<msg::Submit> prepare(const SubmitOptions& options, EntryUpload& upload, const CommandContext& context,
                            Output& output) {
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
  auto entries = read_entries(resolved->config, upload, context, output);
  if (!entries) return entries.error();
  facts.entries = std::move(*entries);
  facts.uploaded = upload.entries();
  facts.uploaded_bytes = upload.bytes();
  auto request = make_submit(std::move(*resolved), std::move(facts));
  if (!request) return request.error();
  for (const std::string& warning : request->warnings) log::warn(warning);
  return std::move(request->message);
}

// Waits for it, and says so on a terminal.
Result<msg::ClientReply> submit_reply(Client& client, RequestId request, uint64_t bytes,
                                      const CommandContext& context, Output& output) {
  LiveLine line(context, output);
  while (true) {
    auto reply = client.next_until(request, line.due());
    if (!reply) return reply.error();
    if (*reply) return std::move(**reply);
    const std::string size = bytes >> 20 > 0 ? fmt::format(" of {} MiB", bytes >> 20) : "";
    line.draw(fmt::format("Waiting for the server to accept the submit{}", size));
  }
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
  EntryUpload upload(*client);
  auto message = prepare(options, upload, context, output);
  if (!message) return output.print_error(message.error());
  message->notices = options.wait && options.on_notify;
  const uint64_t bytes =
      upload.bytes() + (message->submit.entries ? message->submit.entries->blob.size() : 0);
  const RequestId request = upload.submit(std::move(*message));
  auto reply = submit_reply(*client, request, bytes, context, output);
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
