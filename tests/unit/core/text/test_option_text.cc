#include <doctest/doctest.h>

#include "hq/core/text/option_text.h"
#include "message.h"

using namespace hq;

TEST_CASE("plain integers are refused with the words of the original") {
  CHECK(*parse_u32("+7") == 7);
  CHECK(*parse_i32("-2147483648") == INT32_MIN);
  CHECK(message(parse_u32("x")) == "invalid digit found in string");
  CHECK(message(parse_u32("1-2")) == "invalid digit found in string");
  CHECK(message(parse_u32("-1")) == "invalid digit found in string");
  CHECK(message(parse_u32("4294967296")) == "number too large to fit in target type");
  CHECK(message(parse_u32("")) == "cannot parse integer from empty string");
  CHECK(message(parse_priority("3000000000")) == "number too large to fit in target type");
  CHECK(message(parse_priority("-99999999999999999999")) == "number too small to fit in target type");
  CHECK(*parse_priority("-3") == -3);
  CHECK(message(parse_integer_in("-1", 0, 4294967295)) == "-1 is not in 0..=4294967295");
  CHECK(message(parse_integer_in("70000", 0, 65535)) == "70000 is not in 0..=65535");
  CHECK(*parse_integer_in("0", 0, 65535) == 0);
}

TEST_CASE("crash limits are numbers or words") {
  CHECK(parse_crash_limit("never-restart")->value == CrashLimit::kNeverRestart);
  CHECK(parse_crash_limit("unlimited")->value == CrashLimit::kUnlimited);
  CHECK(parse_crash_limit("65535")->value == 65535);
  CHECK(message(parse_crash_limit("0")) ==
        "Crash limit cannot be 0. Use `never-restart` or `unlimited` instead.");
  CHECK(message(parse_crash_limit("x")) == "Invalid crash limit: ParseIntError { kind: InvalidDigit }");
  CHECK(message(parse_crash_limit("65536")) == "Invalid crash limit: ParseIntError { kind: PosOverflow }");
  CHECK(message(parse_crash_limit("")) == "Invalid crash limit: ParseIntError { kind: Empty }");
  for (const std::string text : {"never-restart", "unlimited", "7"}) {
    CHECK(crash_limit_text(*parse_crash_limit(text)) == text);
  }
}

TEST_CASE("weights are positive and kept in ten-thousandths") {
  CHECK(*parse_weight("1.5") == 15'000);
  CHECK(*parse_weight("1e2") == 1'000'000);
  CHECK(*parse_weight("inf") == UINT32_MAX);
  CHECK(*parse_weight("1e30") == UINT32_MAX);
  CHECK(*parse_weight("1e99") == UINT32_MAX);
  CHECK(message(parse_weight("0")) == "Resource weight has to be positive number");
  CHECK(message(parse_weight("-1")) == "Resource weight has to be positive number");
  CHECK(message(parse_weight("nan")) == "Resource weight has to be positive number");
  CHECK(message(parse_weight("1e-99")) == "Resource weight has to be positive number");
  CHECK_FALSE(parse_weight("0.00001"));
  for (const std::string bad : {"", "x", "0x1", "1.5.2", "--1", "+-1", "nan(1)", "1e", "e1", "."}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_weight(bad));
  }
}

TEST_CASE("the least utilization is a fraction") {
  CHECK(*parse_min_utilization("0.5") == 0.5F);
  CHECK(*parse_min_utilization("1") == 1.0F);
  CHECK(message(parse_min_utilization("1.5")) == "Minimal utilization has to be in the interval [0.0, 1.0].");
  CHECK(message(parse_min_utilization("x")) == "invalid float literal");
  CHECK_FALSE(parse_min_utilization("nan"));
  CHECK_FALSE(parse_min_utilization("-0.1"));
}

TEST_CASE("environment variables are split at the first equals sign") {
  CHECK(*parse_env("A=b=c") == EnvVariable{"A", "b=c"});
  CHECK(*parse_env("A") == EnvVariable{"A", ""});
  CHECK(*parse_env("=x") == EnvVariable{"", "x"});
  CHECK(message(parse_env("")) == "Environment variable cannot be empty");

  const auto merged = merge_env({{"B", "1"}, {"A", "1"}, {"B", "2"}});
  CHECK(merged.had_duplicates);
  CHECK(merged.variables == std::vector<EnvVariable>{{"A", "1"}, {"B", "2"}});
}
