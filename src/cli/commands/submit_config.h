// The options of a submit from both their sources: the command line and #HQ lines of a script.
#pragma once

#include <string>
#include <vector>

#include "cli/commands/local_files.h"
#include "cli/commands/options.h"
#include "hq/base/result.h"

namespace hq::cli {

// The command line's options with those of directives behind them. Where both give one of a kind the command
// line wins; variables and resources add up, the command line's first; --each-line, --from-json and --array
// come from one source together.
[[nodiscard]] TaskConfigOptions merge_config(TaskConfigOptions command_line, TaskConfigOptions directives);

// The merged options and the command with the words of a shebang in front. `stdin_data` is what was read of
// standard input, if it was asked for.
struct ResolvedSubmit {
  TaskConfigOptions config;
  std::vector<std::string> command;
};
[[nodiscard]] Result<ResolvedSubmit> resolve_directives(const SubmitOptions& options,
                                                        const std::string& stdin_data, LocalFiles& files);

}  // namespace hq::cli
