#include <doctest/doctest.h>

#include "hq/core/text/resource_request_text.h"
#include "message.h"

using namespace hq;

namespace {

std::string requested_cpus(std::string_view text) {
  const auto entry = parse_allocation("cpus", text);
  return entry ? entry->text() : entry.error().message;
}

std::string requested_resource(std::string_view text) {
  const auto entry = parse_resource_request(text);
  return entry ? entry->name + ": " + entry->text() : entry.error().message;
}

}  // namespace

TEST_CASE("allocations have an amount and a policy") {
  CHECK(requested_cpus("4") == "4 compact");
  CHECK(requested_cpus("2 scatter") == "2 scatter");
  CHECK(requested_cpus("0.5") == "0.5 compact");
  CHECK(requested_cpus("1.25 tight") == "1.25 tight");
  CHECK(requested_cpus("all") == "all");
  CHECK(requested_cpus("8 compact!") == "8 compact!");
  CHECK(requested_cpus("8compact") == "8 compact");
  CHECK(requested_cpus("2tight!") == "2 tight!");
  CHECK(requested_cpus("5_000 ") == "5000 compact");
  CHECK(requested_cpus("1.5000") == "1.5 compact");
  CHECK(parse_allocation("mem", "100.5")->amount.scaled == 1005000);
}

TEST_CASE("a bad allocation is shown with the place and the reason") {
  CHECK(requested_cpus("0") ==
        "Unexpected end of input found, expected something else:\n  0\n  |\n  --- Zero resources cannot be "
        "requested\n");
  CHECK(requested_cpus("-1") ==
        "Unexpected token found while attempting to parse number, expected all:\n  -1\n  |\n  --- Unexpected "
        "token "
        "`-`\n");
  CHECK(requested_cpus("1.23456") ==
        "Unexpected end of input found, expected something else:\n  1.23456\n  |\n  --- Resource precision "
        "exceeded\n");
  CHECK(requested_cpus("3.") ==
        "Unexpected end of input found while attempting to parse number, expected something else:\n  3.\n    "
        "|\n    "
        "--- Unexpected end of input\n");
  CHECK(requested_cpus("2 foo") ==
        "Unexpected token found, expected <end of input> or c or s or t:\n  2 foo\n    |\n    --- Unexpected "
        "token "
        "`f`\n");
  CHECK(requested_cpus("all compact") ==
        "Unexpected token found, expected <end of input>:\n  all compact\n     |\n     --- Unexpected token "
        "` `\n");
  CHECK(
      requested_cpus("") ==
      "Unexpected end of input found while attempting to parse number, expected all:\n(the input was empty)");
  CHECK(requested_cpus("x") ==
        "Unexpected token found, expected all:\n  x\n  |\n  --- Unexpected token `x`\n");
  CHECK(requested_cpus("5000000000") ==
        "Unexpected end of input found, expected something else:\n  5000000000\n  |\n  --- Cannot parse as "
        "4-byte "
        "unsigned integer\n");
  CHECK(requested_cpus("2 comfort").ends_with("\n       |\n       --- Unexpected token `f`\n"));
  for (const std::string bad :
       {".5", "scatter!", "1.00000", "2 compact!!", "2 tight scatter", "1GiB", "0.0"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_allocation("cpus", bad));
  }
}

TEST_CASE("resource requests have a name") {
  CHECK(requested_resource("gpus/nvidia=1") == "gpus/nvidia: 1 compact");
  CHECK(requested_resource("foo = 2 scatter") == "foo: 2 scatter");
  CHECK(requested_resource("foo=all") == "foo: all");
  CHECK(requested_resource("foo") ==
        "Unexpected end of input found, expected =:\n  foo\n     |\n     --- Unexpected end of input\n");
  CHECK(requested_resource("foo_x=1") ==
        "Unexpected token found, expected =:\n  foo_x=1\n     |\n     --- Unexpected token `_`\n");
  CHECK(requested_resource("foo=0") ==
        "Unexpected end of input found, expected something else:\n  foo=0\n      |\n      --- Zero resources "
        "cannot "
        "be requested\n");
  CHECK(is_resource_name("a/b1"));
  for (const std::string bad : {"", "1a", "a_b", "a-b", "/a", "a b"}) CHECK_FALSE(is_resource_name(bad));
}

TEST_CASE("memory may be asked for in binary sizes") {
  CHECK(requested_resource("mem=4GiB") == "mem: 4096 compact");
  CHECK(requested_resource("mem=500MiB") == "mem: 500 compact");
  CHECK(requested_resource("mem=500M") == "mem: 500 compact");
  CHECK(requested_resource("mem=2g") == "mem: 2048 compact");
  CHECK(requested_resource("mem=1.5 GB tight") == "mem: 1536 tight");
  CHECK(requested_resource("mem=512KB") == "mem: 0.5 compact");
  CHECK(requested_resource("mem=1K") == "mem: 0.001 compact");
  CHECK(requested_resource("mem=1TiB") == "mem: 1048576 compact");
  CHECK(requested_resource("mem=4000") == "mem: 4000 compact");
  CHECK(requested_resource("mem=5000000T").ends_with("Cannot parse as 4-byte unsigned integer\n"));
  CHECK_FALSE(parse_resource_request("mem=4GiBs"));
  CHECK_FALSE(parse_resource_request("mem=0GiB"));
  CHECK_FALSE(parse_resource_request("foo=4GiB"));
}

TEST_CASE("requests are combined with one cpu unless cpus are named") {
  const auto one = combine_request({}, {*parse_resource_request("foo=2")});
  REQUIRE(one);
  CHECK((*one)[0].name == "cpus");
  CHECK((*one)[0].text() == "1 compact");
  CHECK((*one)[1].name == "foo");
  const auto named =
      combine_request({}, {*parse_resource_request("foo=2"), *parse_resource_request("cpus=3")});
  CHECK((*named)[0].name == "foo");
  CHECK(named->size() == 2);
  CHECK(message(combine_request({}, {*parse_resource_request("foo=1"), *parse_resource_request("foo=2")})) ==
        "Resource 'foo' defined more than once");
  CHECK(message(combine_request(*parse_allocation("cpus", "1"), {*parse_resource_request("cpus=1")})) ==
        "--cpus and --resource cpus=... cannot be combined");
}

TEST_CASE("requests are shown line by line") {
  ResourceRequest request;
  auto& variant = request.variants.emplace_back();
  variant.entries = {*parse_resource_request("gpus=0.5"), *parse_allocation("cpus", "2 scatter")};
  variant.weight = 15'000;
  CHECK(request_lines(request) ==
        std::vector<std::string>{"cpus: 2 scatter", "gpus: 0.5 compact", "[weight: 1.5]"});

  request.variants.push_back({.nodes = 0, .entries = {*parse_allocation("cpus", "all")}});
  CHECK(request_lines(request) == std::vector<std::string>{"# Variant 1", "cpus: 2 scatter",
                                                           "gpus: 0.5 compact", "[weight: 1.5]", "",
                                                           "# Variant 2", "cpus: all"});

  ResourceRequest nodes = ResourceRequest::cpus(1);
  nodes.variants[0].nodes = 2;
  CHECK(request_lines(nodes) == std::vector<std::string>{"nodes: 2"});
}
