#include "cli/output/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace hq::cli {
namespace {

constexpr uint64_t kWidth = 40;
constexpr std::string_view kEraseLine = "\r\x1b[2K";

struct Segment {
  uint64_t count;
  Color color;
  std::string_view name;
};

// Aborted is blue in tables, but bright red wherever tasks are counted.
Segment segment(uint64_t count, std::string_view name) {
  return {count, name == "ABORTED" ? Color::kBrightRed : task_state_color(name), name};
}

// ceil(kWidth * count / total), without overflow for any count.
uint64_t share(uint64_t count, uint64_t total) {
  using Wide = unsigned __int128;
  return static_cast<uint64_t>((Wide{kWidth} * count + total - 1) / total);
}

}  // namespace

std::string progress_bar(const StateCounts& counts, bool colors) {
  const uint64_t total = counts.total();
  std::string out = "[";
  uint64_t room = kWidth;
  for (const Segment& s : {segment(counts.canceled, "CANCELED"), segment(counts.failed, "FAILED"),
                           segment(counts.finished, "FINISHED"), segment(counts.running, "RUNNING"),
                           segment(counts.aborted, "ABORTED")}) {
    const uint64_t length = total == 0 ? 0 : std::min(room, share(s.count, total));
    if (colors) out += escape_of(s.color);
    out.append(length, '#');
    if (colors) out += kResetEscape;
    room -= length;
  }
  out.append(room, '.');
  return out + "]";
}

std::string progress_cell(const StateCounts& counts, const Style& style) {
  std::string out = progress_bar(counts, style.tables());
  for (const Segment& s : {segment(counts.running, "RUNNING"), segment(counts.failed, "FAILED"),
                           segment(counts.finished, "FINISHED"), segment(counts.canceled, "CANCELED"),
                           segment(counts.waiting, "WAITING"), segment(counts.aborted, "ABORTED")}) {
    if (s.count > 0) out += "\n" + style.paint_cell(s.color, fmt::format("{} ({})", s.name, s.count));
  }
  return out;
}

std::string progress_text(const StateCounts& counts, uint64_t ended_jobs, uint64_t all_jobs,
                          const Style& style) {
  std::string parts;
  for (const Segment& s : {segment(counts.running, "RUNNING"), segment(counts.finished, "FINISHED"),
                           segment(counts.failed, "FAILED"), segment(counts.canceled, "CANCELED"),
                           segment(counts.aborted, "ABORTED")}) {
    if (s.count == 0) continue;
    if (!parts.empty()) parts += ' ';
    parts += fmt::format("{} {}", s.count, style.paint(s.color, s.name));
  }
  return fmt::format("{} {}/{} jobs, {}/{} tasks {}", progress_bar(counts, style.text()), ended_jobs,
                     all_jobs, counts.ended(), counts.total(), parts);
}

std::string progress_line(const StateCounts& counts, uint64_t ended_jobs, uint64_t all_jobs,
                          const Style& style) {
  return std::string(kEraseLine) + progress_text(counts, ended_jobs, all_jobs, style);
}

}  // namespace hq::cli
