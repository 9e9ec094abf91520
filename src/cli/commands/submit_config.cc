#include "cli/commands/submit_config.h"

#include <optional>
#include <utility>

#include "cli/commands/command_line.h"
#include "hq/core/text/directives.h"

namespace hq::cli {
namespace {

template <class T>
void fill(std::optional<T>& given, std::optional<T>& other) {
  if (!given) given = std::move(other);
}

template <class T>
void append(std::vector<T>& given, std::vector<T>& more) {
  given.insert(given.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// Which text holds the directives; none for a command that is no script.
struct Source {
  std::string name;
  std::string text;
};
Result<std::optional<Source>> directive_source(const SubmitOptions& options, const std::string& stdin_data,
                                               LocalFiles& files) {
  const std::string& program = options.command.front();
  switch (options.directives.value_or(DirectivesMode::kAuto)) {
    case DirectivesMode::kOff:
      return std::optional<Source>();
    case DirectivesMode::kStdin:
      if (!options.use_stdin) {
        return Error("You have to use `--stdin` when you specify `--directives=stdin`.");
      }
      return std::optional(Source{"stdin", stdin_data.substr(0, kDirectiveBytes + 1)});
    case DirectivesMode::kAuto:
      if (!program.ends_with(".sh")) return std::optional<Source>();
      break;
    case DirectivesMode::kFile:
      break;
  }
  // One byte more tells a file that was cut from one that ends there.
  LocalFiles::Content content = files.read(program, kDirectiveBytes + 1);
  if (content.errnum != 0) {
    return Error("Could not parse directives from " + program + ": " + os_error_text(content.errnum));
  }
  return std::optional(Source{program, std::move(content.bytes)});
}

}  // namespace

TaskConfigOptions merge_config(TaskConfigOptions cli, TaskConfigOptions directives) {
  TaskConfigOptions out = std::move(cli);
  fill(out.name, directives.name);
  fill(out.max_fails, directives.max_fails);
  fill(out.nodes, directives.nodes);
  fill(out.cpus, directives.cpus);
  append(out.resources, directives.resources);
  fill(out.time_request, directives.time_request);
  fill(out.weight, directives.weight);
  fill(out.pin, directives.pin);
  fill(out.cwd, directives.cwd);
  fill(out.stdout_spec, directives.stdout_spec);
  fill(out.stderr_spec, directives.stderr_spec);
  append(out.env, directives.env);
  if (!out.each_line && !out.from_json && !out.array) {
    out.each_line = std::move(directives.each_line);
    out.from_json = std::move(directives.from_json);
    out.array = std::move(directives.array);
  }
  fill(out.priority, directives.priority);
  fill(out.time_limit, directives.time_limit);
  fill(out.memory_limit, directives.memory_limit);
  fill(out.stream, directives.stream);
  out.task_dir = out.task_dir || directives.task_dir;
  fill(out.crash_limit, directives.crash_limit);
  return out;
}

Result<ResolvedSubmit> resolve_directives(const SubmitOptions& options, const std::string& stdin_data,
                                          LocalFiles& files) {
  auto source = directive_source(options, stdin_data, files);
  if (!source) return source.error();
  if (!*source) return ResolvedSubmit{options.config, options.command};
  const std::string where = "Could not parse directives from " + (*source)->name + ": ";
  auto directives = parse_directives((*source)->text);
  if (!directives) return Error(where + directives.error().message);
  auto config = parse_directive_options(directives->options);
  if (!config) return Error(where + config.error().message);
  ResolvedSubmit out{merge_config(options.config, std::move(*config)), {}};
  // With --stdin the first word is what reads the script, not the script.
  if (!options.use_stdin) out.command = std::move(directives->shebang);
  out.command.insert(out.command.end(), options.command.begin(), options.command.end());
  return out;
}

}  // namespace hq::cli
