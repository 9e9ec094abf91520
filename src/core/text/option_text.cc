#include "hq/core/text/option_text.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "core/text/scanner.h"

namespace hq {

namespace {

enum class IntegerProblem { kEmpty, kInvalidDigit, kTooLarge, kTooSmall };

struct Integer {
  int64_t value = 0;
  std::optional<IntegerProblem> problem;
};

// A "-" is a digit that does not belong there unless negative values are possible.
Integer parse_integer(std::string_view text, int64_t lowest, int64_t highest) {
  if (text.empty()) return {0, IntegerProblem::kEmpty};
  const bool negative = lowest < 0 && text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  if (text.empty()) return {0, IntegerProblem::kInvalidDigit};
  int64_t value = 0;
  bool overflow = false;
  for (char c : text) {
    if (!text::is_digit(c)) return {0, IntegerProblem::kInvalidDigit};
    const int64_t digit = negative ? '0' - c : c - '0';
    overflow = overflow || __builtin_mul_overflow(value, int64_t{10}, &value) ||
               __builtin_add_overflow(value, digit, &value);
  }
  if (overflow || value < lowest || value > highest) {
    return {0, negative ? IntegerProblem::kTooSmall : IntegerProblem::kTooLarge};
  }
  return {value, std::nullopt};
}

Error integer_error(IntegerProblem problem) {
  switch (problem) {
    case IntegerProblem::kEmpty:
      return Error("cannot parse integer from empty string");
    case IntegerProblem::kInvalidDigit:
      return Error("invalid digit found in string");
    case IntegerProblem::kTooLarge:
      return Error("number too large to fit in target type");
    case IntegerProblem::kTooSmall:
      return Error("number too small to fit in target type");
  }
  return Error("invalid digit found in string");
}

std::string_view problem_code(IntegerProblem problem) {
  switch (problem) {
    case IntegerProblem::kEmpty:
      return "Empty";
    case IntegerProblem::kInvalidDigit:
      return "InvalidDigit";
    case IntegerProblem::kTooLarge:
      return "PosOverflow";
    case IntegerProblem::kTooSmall:
      return "NegOverflow";
  }
  return "?";
}

// The value of a well-formed number that is out of the range of float: zero when it is tiny, else infinite.
float out_of_range_value(std::string_view number) {
  const size_t exponent = number.find_first_of("eE");
  const bool shrinks = exponent != std::string_view::npos && number.substr(exponent + 1).starts_with('-');
  const bool below_one =
      number.substr(0, number.find_first_of(".eE")).find_first_not_of('0') == std::string_view::npos;
  const bool grows = exponent != std::string_view::npos && !shrinks;
  return shrinks || (below_one && !grows) ? 0.0F : std::numeric_limits<float>::infinity();
}

}  // namespace

Result<uint32_t> parse_u32(std::string_view text) {
  const Integer out = parse_integer(text, 0, UINT32_MAX);
  if (out.problem) return integer_error(*out.problem);
  return uint32_t(out.value);
}

Result<int32_t> parse_i32(std::string_view text) {
  const Integer out = parse_integer(text, INT32_MIN, INT32_MAX);
  if (out.problem) return integer_error(*out.problem);
  return int32_t(out.value);
}

Result<int64_t> parse_integer_in(std::string_view text, int64_t lowest, int64_t highest) {
  const Integer out = parse_integer(text, INT64_MIN, INT64_MAX);
  if (out.problem) return integer_error(*out.problem);
  if (out.value < lowest || out.value > highest) {
    return Error(std::string(text) + " is not in " + std::to_string(lowest) +
                 "..=" + std::to_string(highest));
  }
  return out.value;
}

Result<float> parse_f32(std::string_view text) {
  if (text.empty()) return Error("cannot parse float from empty string");
  const bool negative = text.front() == '-';
  std::string_view number = text;
  if (negative || text.front() == '+') number.remove_prefix(1);
  std::string lower;
  for (char c : number) lower += text::is_letter(c) ? char(c | 0x20) : c;
  float value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = std::numeric_limits<float>::infinity();
  } else if (lower == "nan") {
    value = std::numeric_limits<float>::quiet_NaN();
  } else {
    if (number.find_first_not_of("0123456789.eE+-") != std::string_view::npos)
      return Error("invalid float literal");
    const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (problem == std::errc::invalid_argument || end != number.data() + number.size() ||
        number.starts_with('-')) {
      return Error("invalid float literal");
    }
    if (problem == std::errc::result_out_of_range) value = out_of_range_value(number);
  }
  return negative ? -value : value;
}

Result<int32_t> parse_priority(std::string_view text) {
  return parse_i32(text);
}

Result<CrashLimit> parse_crash_limit(std::string_view text) {
  if (text == "never-restart") return CrashLimit{CrashLimit::kNeverRestart};
  if (text == "unlimited") return CrashLimit{CrashLimit::kUnlimited};
  const Integer out = parse_integer(text, 0, UINT16_MAX);
  if (out.problem) {
    return Error("Invalid crash limit: ParseIntError { kind: " + std::string(problem_code(*out.problem)) +
                 " }");
  }
  if (out.value == 0) return Error("Crash limit cannot be 0. Use `never-restart` or `unlimited` instead.");
  return CrashLimit{uint32_t(out.value)};
}

std::string crash_limit_text(CrashLimit limit) {
  if (limit.value == CrashLimit::kNeverRestart) return "never-restart";
  if (limit.value == CrashLimit::kUnlimited) return "unlimited";
  return std::to_string(limit.value);
}

Result<uint32_t> weight_from(float weight) {
  if (!(weight > 0)) return Error("Resource weight has to be positive number");
  const float scaled = std::round(weight * 10'000);
  if (scaled < 1) return Error("Resource weight is too small, it would be rounded to zero");
  if (scaled >= 4294967296.0F) return UINT32_MAX;
  return uint32_t(scaled);
}

Result<uint32_t> parse_weight(std::string_view text) {
  const auto weight = parse_f32(text);
  if (!weight) return weight.error();
  return weight_from(*weight);
}

Result<float> parse_min_utilization(std::string_view text) {
  auto value = parse_f32(text);
  if (value && !(*value >= 0.0F && *value <= 1.0F)) {
    return Error("Minimal utilization has to be in the interval [0.0, 1.0].");
  }
  return value;
}

Result<EnvVariable> parse_env(std::string_view text) {
  if (text.empty()) return Error("Environment variable cannot be empty");
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return EnvVariable{text, ""};
  return EnvVariable{text.substr(0, equals), text.substr(equals + 1)};
}

MergedEnv merge_env(const std::vector<EnvVariable>& given) {
  std::map<std::string, std::string> sorted;
  for (const auto& [name, value] : given) sorted.insert_or_assign(name, value);
  return {{sorted.begin(), sorted.end()}, sorted.size() != given.size()};
}

}  // namespace hq
