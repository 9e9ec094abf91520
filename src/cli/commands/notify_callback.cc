#include "cli/commands/notify_callback.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "hq/base/log.h"
#include "hq/core/text/display_text.h"
#include "hq/core/text/shell_words.h"

namespace hq::cli {
namespace {

std::string words_text(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back(debug_text(word));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string notice_text(const msg::TaskNotice& notice) {
  std::vector<unsigned> bytes;
  for (const char c : notice.text) bytes.push_back(uint8_t(c));
  return fmt::format("TaskNotification {{ task_id: {}, worker_id: WorkerId({}), message: [{}] }}",
                     JobTask{notice.job, notice.task}.text(), notice.worker.value, fmt::join(bytes, ", "));
}

}  // namespace

// What can't be split is the name of a program, blanks and all.
NotifyCallback::NotifyCallback(const std::string& command, const CommandContext& context)
    : words_(split_shell_words(command).value_or(std::vector{command})), context_(context) {
  if (words_.empty()) words_.push_back(command);
}

void NotifyCallback::run(const msg::TaskNotice& notice) const {
  log::info(fmt::format("Running on_notify callback: {} {}: {}", words_.front(),
                        words_text({words_.begin() + 1, words_.end()}), notice_text(notice)));
  std::vector<std::string> argv = words_;
  argv.push_back(notice.text);
  auto ended = context_.run_program(argv, {{"HQ_JOB_ID", notice.job.text()},
                                           {"HQ_TASK_ID", notice.task.text()},
                                           {"HQ_WORKER_ID", notice.worker.text()}});
  if (!ended) {
    log::warn("Failed to run on_notify callback: " + ended.error().message);
  } else if (!ended->empty()) {
    log::warn("on_notify callback finished with exit code: " + *ended);
  }
}

}  // namespace hq::cli
