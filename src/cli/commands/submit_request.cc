#include "cli/commands/submit_request.h"

#include <fmt/format.h>

#include <utility>

#include "hq/core/text/option_text.h"
#include "hq/core/text/placeholders.h"
#include "hq/core/text/resource_request_text.h"

namespace hq::cli {
namespace {

// More output files than this are warned about.
constexpr uint64_t kManyFiles = 999;

Result<std::string> job_name(const TaskConfigOptions& config, const std::vector<std::string>& command,
                             bool attach) {
  if (attach) {
    if (config.name) return Error("Parameter --name is not allowed when submitting to an open job.");
    if (config.max_fails)
      return Error("Parameter --max-fails is not allowed when submitting to an open job.");
    return std::string();
  }
  if (!config.name) return default_job_name(command);
  if (config.name->find_first_of("\n\t") != std::string::npos) {
    return Error("name cannot have a newline or a tab");
  }
  return *config.name;
}

Result<ResourceRequest> make_request(const TaskConfigOptions& config) {
  auto entries = combine_request(config.cpus, config.resources);
  if (!entries) return entries.error();
  ResourceVariant variant;
  variant.nodes = config.nodes.value_or(0);
  variant.entries = std::move(*entries);
  // Several nodes are taken whole: nobody asked for one cpu of them.
  const bool cpus_given = config.cpus || variant.entries.size() == config.resources.size();
  if (variant.nodes > 0 && !cpus_given) variant.entries.erase(variant.entries.begin());
  variant.min_time = config.time_request.value_or(Duration::zero());
  variant.weight = config.weight.value_or(variant.weight);
  return ResourceRequest{{std::move(variant)}};
}

StdioSpec channel(const std::optional<StdioSpec>& given, bool streamed, std::string_view default_path) {
  if (!given && streamed) return {StdioSpec::Kind::kStream, "", false};
  StdioSpec spec = given.value_or(StdioSpec());
  if (spec.kind == StdioSpec::Kind::kFile && spec.path.empty()) spec.path = default_path;
  return spec;
}

void warn_of_placeholders(const TaskConfigOptions& config, std::vector<std::string>& warnings) {
  auto check = [&](const std::string& path, PathContext context) {
    if (auto warning = unknown_placeholder_warning(path, context)) warnings.push_back(std::move(*warning));
  };
  if (config.stdout_spec) check(config.stdout_spec->path, PathContext::kStdout);
  if (config.stderr_spec) check(config.stderr_spec->path, PathContext::kStderr);
  if (config.stream) check(*config.stream, PathContext::kStream);
  if (config.cwd) check(*config.cwd, PathContext::kCwd);
}

// A channel of which each task makes a file. Only a mode (":rm-if-finished") doesn't count, as in the
// original.
bool makes_files(const std::optional<StdioSpec>& spec) {
  return !spec || (spec->kind == StdioSpec::Kind::kFile && !spec->path.empty());
}

void warn_of_array(const TaskConfigOptions& config, bool streamed, const std::string& cwd,
                   std::vector<std::string>& warnings) {
  if (!config.array || config.array->count() < 2) return;
  auto check_path = [&](const std::optional<StdioSpec>& spec, std::string_view name) {
    if (!spec || !makes_files(spec) || has_placeholder(join_path(cwd, spec->path), "TASK_ID")) return;
    warnings.push_back(
        fmt::format("You have submitted an array job, but the `{0}` path does not contain the task ID "
                    "placeholder.\nIndividual tasks might thus overwrite the file. Consider adding "
                    "`%{{TASK_ID}}` to the `--{0}` value.",
                    name));
  };
  const bool out = makes_files(config.stdout_spec);
  const bool err = makes_files(config.stderr_spec);
  const uint64_t files = config.array->count() * (uint64_t{out} + uint64_t{err});
  if (files > kManyFiles && !streamed) {
    warnings.push_back(
        fmt::format("The job will create {} files for {}. Consider using the `--stream` option to stream all "
                    "outputs into a single file",
                    files, out && err ? "stdout and stderr" : (out ? "stdout" : "stderr")));
  }
  check_path(config.stdout_spec, "stdout");
  check_path(config.stderr_spec, "stderr");
}

Result<ProgramDescription> make_program(const TaskConfigOptions& config, std::vector<std::string> command,
                                        std::string stdin_data, bool streamed,
                                        std::vector<std::string>& warnings) {
  ProgramDescription program;
  program.args = std::move(command);
  MergedEnv env = merge_env(config.env);
  if (env.had_duplicates) {
    warnings.emplace_back(
        "Some environment variables were ignored. Check if you haven't used duplicate keys.");
  }
  program.env = std::move(env.variables);
  program.cwd = config.cwd.value_or(std::string(kDefaultCwd));
  if (auto checked = check_cwd_template(program.cwd); !checked) return checked.error();
  program.stdout_spec = channel(config.stdout_spec, streamed, kDefaultStdout);
  program.stderr_spec = channel(config.stderr_spec, streamed, kDefaultStderr);
  program.stdin_data = std::move(stdin_data);
  return program;
}

// REQUIRES: nothing was uploaded when there is an array, which chooses among all entries.
void set_ids(msg::Submit& message, std::optional<IdArray> array, std::optional<Entries> entries) {
  SubmitDescription& submit = message.submit;
  message.ids_after_existing = message.job && !array;
  if (!entries) {
    submit.ids = array ? std::move(*array) : IdArray::single(0);
    return;
  }
  if (array) {
    ChosenEntries chosen = choose_entries(*entries, *array);
    submit.ids = std::move(chosen.ids);
    submit.entries = std::move(chosen.entries);
    return;
  }
  submit.ids = IdArray::consecutive(0, message.uploaded + uint32_t(entries->size()));
  submit.entries = std::move(entries);
}

// The server takes no more.
Result<void> check_size(const SubmitDescription& submit, uint64_t uploaded_bytes) {
  uint64_t size = uploaded_bytes + submit.task.program.stdin_data.size();
  if (submit.entries) size += submit.entries->bytes();
  if (size <= kMostSubmitBytes) return {};
  return Error(fmt::format(
      "The entries and standard input of one submit take {} bytes; at most {} bytes can be sent at once",
      size, kMostSubmitBytes));
}

}  // namespace

std::string default_job_name(const std::vector<std::string>& command) {
  std::string_view path = command.empty() ? std::string_view() : command.front();
  while (path.ends_with('/') || path.ends_with("/.")) path.remove_suffix(1);
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.empty() || name == "." || name == ".." ? "job" : std::string(name);
}

Result<SubmitRequest> make_submit(ResolvedSubmit submit, SubmitFacts facts) {
  TaskConfigOptions& config = submit.config;
  SubmitRequest out;
  auto name = job_name(config, submit.command, facts.job.has_value());
  if (!name) return name.error();
  out.message.job = facts.job;
  out.message.name = std::move(*name);
  out.message.max_fails = config.max_fails;

  SubmitDescription& description = out.message.submit;
  description.submit_dir = std::move(facts.submit_dir);
  description.stream_path = config.stream;
  description.log_path = facts.log_path;
  TaskDescription& task = description.task;
  auto request = make_request(config);
  if (!request) return request.error();
  task.request = std::move(*request);
  const bool streamed = config.stream || facts.log_path;
  auto program =
      make_program(config, std::move(submit.command), std::move(facts.stdin_data), streamed, out.warnings);
  if (!program) return program.error();
  task.program = std::move(*program);
  task.pin = config.pin.value_or(PinMode::kNone);
  task.task_dir = config.task_dir;
  task.time_limit = config.time_limit;
  task.memory_limit = config.memory_limit;
  task.priority = config.priority.value_or(0);
  task.crash_limit = config.crash_limit.value_or(CrashLimit());
  if (facts.log_path) {
    if (auto warning = unknown_placeholder_warning(*facts.log_path, PathContext::kStream)) {
      out.warnings.push_back(std::move(*warning));
    }
  }
  warn_of_placeholders(config, out.warnings);
  warn_of_array(config, streamed, task.program.cwd, out.warnings);
  out.message.uploaded = facts.uploaded;
  set_ids(out.message, std::move(config.array), std::move(facts.entries));
  if (auto fits = check_size(description, facts.uploaded_bytes); !fits) return fits.error();
  return out;
}

}  // namespace hq::cli
