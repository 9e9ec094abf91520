#include "hq/core/text/duration_text.h"

#include <fmt/format.h>

#include <ctime>
#include <optional>
#include <variant>

#include "core/text/scanner.h"

namespace hq {

namespace {

using text::Scanner;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMonth = 2'630'016;
constexpr uint64_t kYear = 31'557'600;

// --- the human form ---------------------------------------------------------------------------------------

struct HumanFailure {
  std::string code;      // for programmers, as the original shows it after its own words
  std::string sentence;  // for people
};
template <class T>
using HumanResult = std::variant<T, HumanFailure>;

HumanFailure invalid_character(size_t at) {
  return {fmt::format("InvalidCharacter({})", at), fmt::format("invalid character at {}", at)};
}
HumanFailure number_expected(size_t at) {
  return {fmt::format("NumberExpected({})", at), fmt::format("expected number at {}", at)};
}
HumanFailure number_overflow() {
  return {"NumberOverflow", "number is too large"};
}
HumanFailure empty_value() {
  return {"Empty", "value was empty"};
}
HumanFailure unknown_unit(size_t start, size_t end, std::string_view unit, uint64_t value) {
  HumanFailure out;
  out.code =
      fmt::format("UnknownUnit {{ start: {}, end: {}, unit: \"{}\", value: {} }}", start, end, unit, value);
  if (unit.empty()) {
    out.sentence = fmt::format("time unit needed, for example {0}sec or {0}ms", value);
  } else {
    out.sentence = fmt::format(
        "unknown time unit \"{}\", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, "
        "years (and "
        "few variations)",
        unit);
  }
  return out;
}

std::optional<uint64_t> unit_nanoseconds(std::string_view unit) {
  struct Unit {
    std::string_view spellings;  // between blanks
    uint64_t ns;
  };
  static constexpr Unit kUnits[] = {
      {" nanos nsec ns ", 1},
      {" usec us µs ", 1'000},
      {" millis msec ms ", 1'000'000},
      {" seconds second secs sec s ", kSecond},
      {" minutes minute mins min m ", 60 * kSecond},
      {" hours hour hrs hr h ", 3'600 * kSecond},
      {" days day d ", 86'400 * kSecond},
      {" weeks week wks wk w ", 7 * 86'400 * kSecond},
      {" months month M ", kMonth * kSecond},
      {" years year yrs yr y ", kYear * kSecond},
  };
  if (unit.empty()) return std::nullopt;
  const std::string word = " " + std::string(unit) + " ";
  for (const Unit& known : kUnits) {
    if (known.spellings.find(word) != std::string_view::npos) return known.ns;
  }
  return std::nullopt;
}

class HumanParser {
 public:
  explicit HumanParser(std::string_view text) : text_(text) {}

  HumanResult<Duration> parse() {
    skip_blanks();
    if (at_ == text_.size()) return empty_value();
    for (; at_ < text_.size(); skip_blanks()) {
      if (auto failure = item()) return *failure;
    }
    if (total_ > uint64_t(Duration::max().count())) return number_overflow();
    return Duration(int64_t(total_));
  }

 private:
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (at_ < text_.size() && text::is_blank(peek())) ++at_;
  }
  // Bytes of the letter here: ASCII letters and the micro sign; 0 = no letter.
  [[nodiscard]] size_t letter() const {
    if (text::is_letter(peek())) return 1;
    return text_.substr(at_).starts_with("µ") ? std::string_view("µ").size() : 0;
  }

  std::optional<HumanFailure> item() {
    if (!text::is_digit(peek())) return number_expected(at_);
    whole_ = 0;
    fraction_ = {};
    if (auto failure = number()) return failure;
    const size_t start = at_;
    while (size_t n = letter()) at_ += n;
    const size_t end = at_;
    if (at_ < text_.size() && !text::is_blank(peek()) && !text::is_digit(peek()))
      return invalid_character(at_);
    return add(text_.substr(start, end - start), start, end);
  }

  // Blanks inside a number are skipped, as people write "10 000 s". Ends at its unit or at the end of the
  // text.
  std::optional<HumanFailure> number() {
    for (; at_ < text_.size() && letter() == 0; ++at_) {
      if (text::is_blank(peek())) continue;
      if (peek() == '.') return fraction();
      if (!text::is_digit(peek())) return invalid_character(at_);
      const auto digit = uint64_t(peek() - '0');
      if (whole_ > (UINT64_MAX - digit) / 10) return number_overflow();
      whole_ = whole_ * 10 + digit;
    }
    return std::nullopt;
  }

  std::optional<HumanFailure> fraction() {
    if (!text::is_digit(text_[at_ - 1])) return invalid_character(at_);
    const size_t begin = ++at_;
    while (text::is_digit(peek())) ++at_;
    fraction_ = text_.substr(begin, at_ - begin);
    if (fraction_.empty()) return at_ < text_.size() ? invalid_character(at_) : number_expected(at_);
    skip_blanks();
    if (at_ < text_.size() && letter() == 0) return invalid_character(at_);
    return std::nullopt;
  }

  std::optional<HumanFailure> add(std::string_view unit, size_t start, size_t end) {
    const auto ns = unit_nanoseconds(unit);
    if (!ns) {
      // Zero needs no unit.
      if (unit.empty() && text_.find_first_not_of('0') == std::string_view::npos) return std::nullopt;
      return unknown_unit(start, end, unit, whole_);
    }
    uint64_t sum = 0;
    if (__builtin_mul_overflow(whole_, *ns, &sum) || __builtin_add_overflow(total_, sum, &total_)) {
      return number_overflow();
    }
    return add_fraction(*ns);
  }

  std::optional<HumanFailure> add_fraction(uint64_t ns) {
    while (!fraction_.empty() && fraction_.back() == '0') fraction_.remove_suffix(1);
    // The unit is taken apart digit by digit, so that "finer than a nanosecond" is seen exactly.
    for (char c : fraction_) {
      if (ns % 10 != 0) return number_overflow();
      ns /= 10;
      if (__builtin_add_overflow(total_, ns * uint64_t(c - '0'), &total_)) return number_overflow();
    }
    return std::nullopt;
  }

  std::string_view text_;
  size_t at_ = 0;
  uint64_t whole_ = 0;
  std::string_view fraction_;
  uint64_t total_ = 0;
};

// --- the clock form ---------------------------------------------------------------------------------------

std::optional<Duration> parse_clock(std::string_view text) {
  Scanner in(text);
  uint64_t seconds = 0;
  for (int fields = 1; fields <= 3; ++fields) {
    const auto number = in.number();
    if (!number || !number->value) return std::nullopt;
    seconds = seconds * 60 + *number->value;
    if (in.at_end()) {
      if (seconds > uint64_t(Duration::max().count()) / kSecond) return std::nullopt;
      return Duration(int64_t(seconds * kSecond));
    }
    if (!in.take(':')) return std::nullopt;
  }
  return std::nullopt;
}

// --- printing ---------------------------------------------------------------------------------------------

struct Civil {
  int64_t year;
  unsigned month, day, hour, minute, second;
  unsigned ns;
};

Civil civil(WallTime time) {
  const std::chrono::sys_time<std::chrono::nanoseconds> moment{std::chrono::nanoseconds(time.ns)};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(moment - day);
  return {int(date.year()),
          unsigned(date.month()),
          unsigned(date.day()),
          unsigned(clock.hours().count()),
          unsigned(clock.minutes().count()),
          unsigned(clock.seconds().count()),
          unsigned(clock.subseconds().count())};
}

}  // namespace

Result<Duration> parse_human_duration(std::string_view text) {
  auto parsed = HumanParser(text).parse();
  if (auto* failure = std::get_if<HumanFailure>(&parsed)) return Error(failure->sentence);
  return std::get<Duration>(parsed);
}

Result<Duration> parse_duration(std::string_view text) {
  if (const auto clock = parse_clock(text)) return *clock;
  auto parsed = HumanParser(text).parse();
  if (auto* failure = std::get_if<HumanFailure>(&parsed)) {
    return Error("Could not parse PBS walltime. Use either `HH:MM:SS` or humantime format (2hours): " +
                 failure->code);
  }
  return std::get<Duration>(parsed);
}

std::string duration_text(Duration duration) {
  if (duration < Duration::zero()) return "Invalid duration";
  if (duration == Duration::zero()) return "0s";
  std::string out;
  uint64_t rest = uint64_t(duration.count());
  const auto item = [&](uint64_t ns, std::string_view name, bool plural) {
    const uint64_t n = rest / ns;
    rest %= ns;
    if (n == 0) return;
    if (!out.empty()) out += ' ';
    out += fmt::format("{}{}{}", n, name, plural && n > 1 ? "s" : "");
  };
  item(kYear * kSecond, "year", true);
  item(kMonth * kSecond, "month", true);
  item(86'400 * kSecond, "day", true);
  item(3'600 * kSecond, "h", false);
  item(60 * kSecond, "m", false);
  item(kSecond, "s", false);
  item(1'000'000, "ms", false);
  item(1'000, "us", false);
  item(1, "ns", false);
  return out;
}

std::string short_duration_text(Duration duration) {
  if (duration >= 1h) return duration_text(std::chrono::floor<std::chrono::minutes>(duration));
  if (duration >= 1min) return duration_text(std::chrono::floor<std::chrono::seconds>(duration));
  if (duration >= 0s) return duration_text(std::chrono::floor<std::chrono::milliseconds>(duration));
  return duration_text(duration);
}

std::string rfc3339_text(WallTime time) {
  const Civil c = civil(time);
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second);
  if (c.ns % 1'000 != 0) {
    out += fmt::format(".{:09}", c.ns);
  } else if (c.ns % 1'000'000 != 0) {
    out += fmt::format(".{:06}", c.ns / 1'000);
  } else if (c.ns != 0) {
    out += fmt::format(".{:03}", c.ns / 1'000'000);
  }
  return out + "Z";
}

std::string utc_text(WallTime time) {
  const Civil c = civil(time);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", c.year, c.month, c.day, c.hour, c.minute,
                     c.second);
}

std::string local_text(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(time.ns)).count();
  const time_t moment = seconds;
  tm local{};
  localtime_r(&moment, &local);
  return fmt::format("{:02}.{:02}.{:04} {:02}:{:02}:{:02}", local.tm_mday, local.tm_mon + 1,
                     local.tm_year + 1900, local.tm_hour, local.tm_min, local.tm_sec);
}

}  // namespace hq
