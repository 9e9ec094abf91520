// Parsers of values and tables of choices that several declarations use.
#pragma once

#include <limits>

#include "cli/args/declaration.h"
#include "cli/commands/options.h"
#include "hq/core/text/option_text.h"

namespace hq::cli {

// An integer whose limits are told when it is outside of them.
template <class T>
Result<T> parse_limited(std::string_view text) {
  Result<int64_t> number =
      parse_integer_in(text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
  if (!number) return std::move(number.error());
  return static_cast<T>(*number);
}

inline Result<Selector> parse_any_selector(std::string_view text) {
  return parse_selector(text, {});
}
inline Result<Selector> parse_selector_without_all(std::string_view text) {
  return parse_selector(text, {.last = true, .all = false});
}

// "last" or a job id.
inline Result<JobChoice> parse_job_choice(std::string_view text) {
  if (text == "last") return JobChoice();
  Result<uint32_t> id = parse_u32(text);
  if (!id) return std::move(id.error());
  return JobChoice{*id};
}

template <class T>
using Choice = std::pair<std::string_view, T>;

inline constexpr auto kStatusFilters = std::to_array<Choice<StatusFilter>>({
    {"waiting", StatusFilter::kWaiting},
    {"running", StatusFilter::kRunning},
    {"finished", StatusFilter::kFinished},
    {"failed", StatusFilter::kFailed},
    {"canceled", StatusFilter::kCanceled},
    {"aborted", StatusFilter::kAborted},
    {"opened", StatusFilter::kOpened},
});

inline constexpr auto kStreams = std::to_array<Choice<StdStream>>({
    {"stdout", StdStream::kStdout},
    {"stderr", StdStream::kStderr},
});

}  // namespace hq::cli
