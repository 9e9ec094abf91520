#include "hq/core/text/placeholders.h"

#include <algorithm>
#include <functional>

namespace hq {

namespace {

// Calls `plain` and `name` with the pieces of `text`, in order.
void split(std::string_view text, const std::function<void(std::string_view)>& plain,
           const std::function<void(std::string_view)>& name) {
  while (!text.empty()) {
    const size_t open = text.find("%{");
    const size_t close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) break;
    plain(text.substr(0, open));
    name(text.substr(open + 2, close - open - 2));
    text.remove_prefix(close + 1);
  }
  plain(text);
}

bool complete(std::string_view path) {
  return placeholders_in(path).empty();
}

PlaceholderValues job_values(const JobPathValues& values) {
  return {{"JOB_ID", values.job.text()},
          {"SUBMIT_DIR", std::string(values.submit_dir)},
          {"SERVER_UID", std::string(values.server_uid)}};
}

// Fills stdout or stderr.
void resolve_output(StdioSpec& spec, const PlaceholderValues& values, const std::string* directory) {
  if (spec.kind != StdioSpec::Kind::kFile) return;
  spec.path = fill_placeholders(spec.path, values);
  if (directory && complete(spec.path)) spec.path = join_path(*directory, spec.path);
}

std::string task_output(const StdioSpec& spec, const PlaceholderValues& values, const std::string& cwd) {
  if (spec.kind != StdioSpec::Kind::kFile) return {};
  return join_path(cwd, fill_placeholders(spec.path, values));
}

}  // namespace

std::string fill_placeholders(std::string_view text, const PlaceholderValues& values) {
  std::string out;
  split(
      text, [&](std::string_view plain) { out += plain; },
      [&](std::string_view name) {
        const auto found = values.find(name);
        if (found != values.end()) {
          out += found->second;
        } else {
          out.append("%{").append(name).append("}");
        }
      });
  return out;
}

std::vector<std::string> placeholders_in(std::string_view text) {
  std::vector<std::string> out;
  split(
      text, [](std::string_view) {}, [&](std::string_view name) { out.emplace_back(name); });
  return out;
}

bool has_placeholder(std::string_view text, std::string_view name) {
  const auto names = placeholders_in(text);
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<std::string> unknown_placeholder_warning(std::string_view path, PathContext context) {
  const bool output = context == PathContext::kStdout || context == PathContext::kStderr;
  std::string unknown;
  size_t count = 0;
  for (const auto& name : placeholders_in(path)) {
    const bool everywhere = name == "JOB_ID" || name == "SUBMIT_DIR" || name == "SERVER_UID" ||
                            name == "TASK_ID" || name == "INSTANCE_ID";
    // In a stream path the last two are known, although they stay. CWD in a cwd is refused elsewhere.
    if (everywhere || (name == "CWD" && (output || context == PathContext::kCwd))) continue;
    if (count++ > 0) unknown += ", ";
    unknown += name;
  }
  if (count == 0) return std::nullopt;
  const std::string_view where = context == PathContext::kStdout   ? "stdout path"
                                 : context == PathContext::kStderr ? "stderr path"
                                 : context == PathContext::kCwd    ? "working directory path"
                                                                   : "log path";
  return "Found unknown placeholder" + std::string(count > 1 ? "s" : "") + " `" + unknown + "` in " +
         std::string(where);
}

Result<void> check_cwd_template(std::string_view path) {
  if (!has_placeholder(path, "CWD")) return {};
  return Error("Working directory path cannot contain the working directory placeholder `%{CWD}`.");
}

std::string join_path(std::string_view directory, std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  std::string out(directory);
  if (path.empty()) return out;
  if (!out.ends_with('/')) out += '/';
  return out.append(path);
}

ProgramDescription resolve_job_paths(ProgramDescription program, const JobPathValues& values) {
  PlaceholderValues known = job_values(values);
  program.cwd = fill_placeholders(program.cwd, known);
  const bool cwd_known = complete(program.cwd);
  if (cwd_known) {
    program.cwd = join_path(values.submit_dir, program.cwd);
    known.emplace("CWD", program.cwd);
  }
  const std::string* directory = cwd_known ? &program.cwd : nullptr;
  resolve_output(program.stdout_spec, known, directory);
  resolve_output(program.stderr_spec, known, directory);
  return program;
}

std::string resolve_stream_path(std::string_view path, const JobPathValues& values) {
  return join_path(values.submit_dir, fill_placeholders(path, job_values(values)));
}

namespace {

// The paths of a submit that the job phase fills. A graph's tasks keep theirs.
template <class Submit>
auto job_paths(Submit& submit) {
  std::vector<decltype(&submit.submit_dir)> out;
  if (submit.stream_path) out.push_back(&*submit.stream_path);
  if (submit.log_path) out.push_back(&*submit.log_path);
  if (submit.is_graph()) return out;
  auto& program = submit.task.program;
  out.push_back(&program.cwd);
  for (auto* spec : {&program.stdout_spec, &program.stderr_spec}) {
    if (spec->kind == StdioSpec::Kind::kFile) out.push_back(&spec->path);
  }
  return out;
}

}  // namespace

SubmitDescription resolve_job_paths(SubmitDescription submit, JobId job, std::string_view server_uid) {
  const std::string submit_dir = submit.submit_dir;
  const JobPathValues values{job, server_uid, submit_dir};
  std::vector<std::string> written;
  bool names_job = false;
  for (const std::string* path : job_paths(submit)) {
    written.push_back(*path);
    names_job = names_job || has_placeholder(*path, "JOB_ID");
  }
  if (submit.stream_path) submit.stream_path = resolve_stream_path(*submit.stream_path, values);
  if (submit.log_path) submit.log_path = resolve_stream_path(*submit.log_path, values);
  if (!submit.is_graph()) submit.task.program = resolve_job_paths(std::move(submit.task.program), values);
  std::map<std::string, std::string> templates;
  const auto filled = job_paths(submit);
  for (size_t i = 0; names_job && i < filled.size(); ++i) {
    if (*filled[i] != written[i]) templates.emplace(*filled[i], std::move(written[i]));
  }
  submit.templates.assign(templates.begin(), templates.end());
  return submit;
}

void restore_job_paths(SubmitDescription& submit) {
  for (std::string* path : job_paths(submit)) {
    const auto found = std::find_if(submit.templates.begin(), submit.templates.end(),
                                    [&](const auto& item) { return item.first == *path; });
    if (found != submit.templates.end()) *path = found->second;
  }
  submit.templates.clear();
}

TaskPaths resolve_task_paths(const ProgramDescription& program, const JobPathValues& values, TaskId task,
                             InstanceId instance) {
  PlaceholderValues known = job_values(values);
  known.emplace("TASK_ID", task.text());
  known.emplace("INSTANCE_ID", instance.text());
  TaskPaths out;
  out.cwd = join_path(values.submit_dir, fill_placeholders(program.cwd, known));
  known.emplace("CWD", out.cwd);
  out.stdout_path = task_output(program.stdout_spec, known, out.cwd);
  out.stderr_path = task_output(program.stderr_spec, known, out.cwd);
  return out;
}

}  // namespace hq
