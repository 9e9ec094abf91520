#include "cli/commands/declarations.h"
#include "cli/commands/values.h"
#include "hq/core/text/id_array_text.h"

namespace hq::cli {
namespace {

// The path was taken by the group already.
OutputLogOptions& chosen(CommandLine& line, OutputLogOptions::What what) {
  auto& o = std::get<OutputLogOptions>(line.options);
  o.what = what;
  return o;
}

void declare_tasks(Command& command, OutputLogOptions& o) {
  command.option("task", o.tasks, parse_id_array, "Only these tasks (1-100, 3,5), in this order.");
}

void declare_job(Command& command, OutputLogOptions& o) {
  command.positional("JOB", o.job, parse_u32, "Id of the job.").required();
}

void declare_show_options(Command& command, OutputLogOptions& o) {
  command.choice("channel", o.only, Choices<StdStream>(kStreams), "Only this channel.");
}

void declare_cat_options(Command& command, OutputLogOptions& o) {
  command.positional_choice("CHANNEL", o.channel, Choices<StdStream>(kStreams), "Which channel.").required();
  declare_tasks(command, o);
  command.flag("allow-unfinished", o.allow_unfinished, "Print what there is of tasks that have not ended.");
}

}  // namespace

void declare_output_log(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<OutputLogOptions>();
  command.positional("PATH", o.path, parse_text, "Directory that was given to --stream.").required();
  command.option("server-uid", o.server_uid, parse_text,
                 "Server whose output is meant, where several have written to the directory.");
}

void declare_output_log_summary(Command&, CommandLine& line) {
  chosen(line, OutputLogOptions::What::kSummary);
}
void declare_output_log_jobs(Command&, CommandLine& line) {
  chosen(line, OutputLogOptions::What::kJobs);
}

void declare_output_log_show(Command& command, CommandLine& line) {
  auto& o = chosen(line, OutputLogOptions::What::kShow);
  command.option("job", o.job, parse_u32, "Only this job.");
  declare_show_options(command, o);
}

void declare_output_log_cat(Command& command, CommandLine& line) {
  auto& o = chosen(line, OutputLogOptions::What::kCat);
  declare_job(command, o);
  declare_cat_options(command, o);
}

void declare_output_log_export(Command& command, CommandLine& line) {
  auto& o = chosen(line, OutputLogOptions::What::kExport);
  declare_job(command, o);
  declare_tasks(command, o);
}

void declare_log(Command& command, CommandLine& line) {
  auto& o = line.options.emplace<OutputLogOptions>();
  o.one_file = true;
  command.positional("FILE", o.path, parse_text, "File that was given to --log.").required();
}

void declare_log_show(Command& command, CommandLine& line) {
  auto& o = chosen(line, OutputLogOptions::What::kShow);
  declare_show_options(command, o);
  command.flag("show-empty", o.show_empty, "Show the end of each channel too.");
}

void declare_log_cat(Command& command, CommandLine& line) {
  declare_cat_options(command, chosen(line, OutputLogOptions::What::kCat));
}

void declare_log_export(Command& command, CommandLine& line) {
  declare_tasks(command, chosen(line, OutputLogOptions::What::kExport));
}

}  // namespace hq::cli
