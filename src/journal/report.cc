// What reading a journal found, in words.
#include <fmt/format.h>

#include "hq/journal/journal_file.h"

namespace hq {

namespace {

std::string counted(uint64_t n, const char* thing) {
  return fmt::format("{} {}{}", n, thing, n == 1 ? "" : "s");
}

std::string place(const JournalLoss& loss) {
  return fmt::format("{} at byte {} of '{}'", counted(loss.size, "byte"), loss.offset, loss.file);
}

}  // namespace

std::vector<std::string> JournalReport::sentences() const {
  std::vector<std::string> out;
  for (const JournalLoss& loss : losses)
    out.push_back(fmt::format("Damaged: {}: {}", place(loss), loss.cause));
  for (const auto& [first, last] : missing) {
    out.push_back(first == last ? fmt::format("Missing: event {}", first)
                                : fmt::format("Missing: events {} to {}", first, last));
  }
  if (torn) out.push_back(fmt::format("Not fully written: {}", place(*torn)));
  if (unknown_events > 0)
    out.push_back(fmt::format("Not understood: {} of a newer hq", counted(unknown_events, "event")));
  for (const SetAsideEvent& event : set_aside)
    out.push_back(fmt::format("Set aside: event {} ({}): {}", event.number, event.what, event.cause));
  if (set_aside_events > set_aside.size())
    out.push_back(fmt::format("Set aside: {} more", counted(set_aside_events - set_aside.size(), "event")));
  if (set_aside_rows > 0)
    out.push_back(
        fmt::format("Set aside: {} of starts and ends that fit nothing", counted(set_aside_rows, "row")));
  for (const DisownedTask& d : disowned) {
    out.push_back(
        fmt::format("Started anew: task {} of job {}, since worker {} did not know instance {} of it any "
                    "more, which may have run",
                    d.task.task.text(), d.task.job.text(), d.worker.text(), d.instance.text()));
  }
  if (disowned_tasks > disowned.size())
    out.push_back(fmt::format("Started anew: {} more", counted(disowned_tasks - disowned.size(), "task")));
  if (mended_events > 0)
    out.push_back(fmt::format("Made to fit: {} behind what is missing", counted(mended_events, "event")));
  return out;
}

}  // namespace hq
