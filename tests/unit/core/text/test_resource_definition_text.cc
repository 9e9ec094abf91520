#include <doctest/doctest.h>

#include "hq/core/text/resource_definition_text.h"
#include "hq/core/text/resource_summary_text.h"
#include "message.h"

using namespace hq;

namespace {

std::string cpus(std::string_view text) {
  const auto kind = parse_cpu_definition(text);
  return kind ? resource_description({"cpus", *kind}) : kind.error().message;
}

std::string resource(std::string_view text) {
  const auto item = parse_resource_definition(text);
  return item ? item->name + ": " + resource_description(*item) : item.error().message;
}

// Each word is a definition; a leading "cpus=" takes the grammar of --cpus.
Result<ResourceDescriptor> descriptor(const std::vector<std::string>& definitions,
                                      std::optional<std::string_view> coupling = {}) {
  std::vector<ResourceItem> items;
  for (const auto& text : definitions) {
    if (text.starts_with("cpus=")) {
      items.push_back({"cpus", *parse_cpu_definition(text.substr(5))});
    } else {
      items.push_back(*parse_resource_definition(text));
    }
  }
  return make_descriptor(std::move(items), coupling);
}

}  // namespace

TEST_CASE("resource definitions of all kinds are read") {
  CHECK(cpus("4") == "range(0-3)");
  CHECK(cpus("1") == "[0]");
  CHECK(cpus("2x3") == "[[0,1,2],[3,4,5]]");
  CHECK(cpus("1x4") == "range(0-3)");
  CHECK(cpus("[[0,1],[2,3]]") == "[[0,1],[2,3]]");
  CHECK(cpus("[[0, 1]]") == "[0,1]");
  CHECK(cpus("[ a , \"b c\" ]") == "[a,b c]");
  CHECK(cpus("range( 5 - 9 )") == "range(5-9)");
  CHECK(resource("mem=sum(1000.5)") == "mem: sum(1000.5)");
  CHECK(resource(" gpus/amd = [a,b]") == "gpus/amd: [a,b]");
}

TEST_CASE("a bad resource definition is shown with the place and the reason") {
  CHECK(cpus("-1") ==
        "Unexpected token found while attempting to parse number, expected [ or range or sum:\n  -1\n  |\n  "
        "--- "
        "Unexpected token `-`\n");
  CHECK(cpus("[]") ==
        "Unexpected end of input found while attempting to parse resource kind, expected something else:\n  "
        "[]\n  "
        "|\n  --- List has to contain at least a single element\n");
  CHECK(cpus("[1,1]").ends_with("something else:\n  [1,1]\n  |\n  --- List items have to be unique\n"));
  CHECK(cpus("[[1],[]]") ==
        "Unexpected end of input found while attempting to parse resource kind, expected something else:\n  "
        "[[1],[]]\n       |\n       --- Each group has to contain at least a single element\n");
  CHECK(cpus("[[1,1]]").ends_with("--- Group items have to be unique\n"));
  CHECK(cpus("range(5-4)") ==
        "Unexpected end of input found while attempting to parse resource kind, expected something else:\n  "
        "range(5-4)\n  |\n  --- Start must be greater or equal to end\n");
  CHECK(cpus("") ==
        "Unexpected end of input found while attempting to parse number, expected [ or range or sum:\n(the "
        "input was "
        "empty)");
  CHECK(cpus("1 2") ==
        "Unexpected token found while attempting to parse number, expected _ or x:\n  1 2\n   |\n   --- "
        "Unexpected "
        "token ` `\n");
  CHECK(cpus("all") ==
        "Unexpected token found while attempting to parse resource kind, expected range or sum:\n  all\n  "
        "|\n  --- "
        "Unexpected token `all`\n");
  CHECK(resource("foo") ==
        "Unexpected end of input found while attempting to parse resource name, expected =:\n  foo\n     |\n "
        "    --- "
        "Unexpected end of input\n");
  CHECK(resource("foo=3") ==
        "Unexpected end of input found while attempting to parse number, expected _ or x:\n  foo=3\n       "
        "|\n       "
        "--- Unexpected end of input\n");
  CHECK(resource("foo=sum(1.23456)") ==
        "Unexpected end of input found while attempting to parse sum, expected something else:\n  "
        "foo=sum(1.23456)\n          |\n          --- Resource precision exceeded\n");
  CHECK(resource("foo_bar=sum(1)") ==
        "Unexpected token found while attempting to parse resource name, expected =:\n  foo_bar=sum(1)\n     "
        "|\n     "
        "--- Unexpected token `_`\n");
  CHECK(resource("1foo=sum(1)") ==
        "Unexpected token found while attempting to parse resource name, expected identifier:\n  "
        "1foo=sum(1)\n  |\n  "
        "--- Unexpected token `1`\n");
  CHECK(resource("foo=[a b]") ==
        "Unexpected token found while attempting to parse resource kind, expected , or ]:\n  foo=[a b]\n     "
        "    "
        "|\n         --- Unexpected token `b`\n");
  for (const std::string bad : {"0x2", "2x0", "2x", "2 x 3", "100000x100000", "[a", "[[a]", "[a],", "[\"\"]",
                                "[\"a]", "sum()", "sum(1", "range(1)", "range(-1)", "[a]]", "foo(1)"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_cpu_definition(bad));
  }
}

TEST_CASE("the offer of a worker is sorted and checked as a whole") {
  const auto offer = descriptor({"mem=sum(10)", "cpus=2x2", "a=[x]"});
  REQUIRE(offer);
  CHECK(offer->items[0].name == "a");
  CHECK(offer->items[2].name == "mem");
  const std::string no_sum = "Resource kind `sum` cannot be used with CPUs. CPUs must have identity";
  CHECK(message(descriptor({"cpus=0"})) == no_sum);
  CHECK(message(descriptor({"cpus=sum(4)"})) == no_sum);
  CHECK(message(descriptor({"cpus=[[1,2],[2]]"})) ==
        "Invalid resource definition for cpus: GenericError(\"Non unique indices\")");
  CHECK(message(descriptor({"cpus=1", "foo=[[a],[a]]"})) ==
        "Invalid resource definition for foo: GenericError(\"Non unique indices\")");
  CHECK(message(descriptor({"cpus=1", "foo=sum(0)"})) == "Resource foo is empty");
  CHECK(message(descriptor({"cpus=1", "foo=sum(1)", "foo=sum(2)"})) == "Resource foo defined twice");
  CHECK(
      message(combine_definitions(*parse_cpu_definition("1"), {*parse_resource_definition("cpus=[1,2]")})) ==
      "Parameters --cpus and --resource cpus=... cannot be combined");
  CHECK(combine_definitions(*parse_cpu_definition("1"), {*parse_resource_definition("foo=[1,2]")})->size() ==
        2);
}

TEST_CASE("coupling is resolved against the sorted resources") {
  const auto offer = descriptor(
      {"cpus=2x3", "gpus/nvidia=[a,b]", "mem=sum(1000.5)", "x=[[1,2],[3]]", "r=range(5-9)", "big=sum(5000)"},
      "cpus[0]:x[0],x[1]:cpus[1]=100");
  REQUIRE(offer);
  CHECK(offer->coupling == std::vector<CouplingWeight>{{1, 0, 5, 0, 256}, {1, 1, 5, 1, 100}});
  CHECK(resources_line(*offer) ==
        "big 5000; cpus 2x3 [coupled]; gpus/nvidia 2; mem 0.98 GiB; r 5; x 1x1 1x2 [coupled]");
  CHECK(resources_lines(*offer)[5] == "x: 1x1 1x2 [coupled]");

  const auto with = [](std::string_view coupling) {
    return message(descriptor({"cpus=2x2", "a=[1]", "yyy=[[p],[q]]"}, coupling));
  };
  CHECK(with("cpus[0]:cpus[1]") == "(accepted)");
  CHECK(with(" cpus [ 0 ] : yyy [1] = 0 ") == "(accepted)");
  CHECK(with("cpus[0]:cpus[1],cpus[1]:cpus[0]") == "(accepted)");
  CHECK(with("cpus") == "Missing ':'");
  CHECK(with("") == "Missing ':'");
  CHECK(with("cpus[0]:cpus[1],") == "Missing ':'");
  CHECK(with("cpus[0]:foo[0]") == "Resource not found: foo");
  CHECK(with("cpus[0:cpus[1]") == "Missing ']'");
  CHECK(with("cpus0]:cpus[1]") == "Missing '['");
  CHECK(with("cpus[x]:cpus[1]") == "Invalid group index: x");
  CHECK(with("cpus[256]:cpus[1]") == "Invalid group index: 256");
  CHECK(with("cpus[0]:cpus[1]=x") == "Invalid weight: x");
  CHECK(with("cpus[0]:cpus[1]=65536") == "Invalid weight: 65536");
  CHECK(with("cpus[0]:cpus[2]") == "Invalid group id 2 for resource 'cpus'");
  CHECK(with("cpus[0]:yyy[3]") == "Invalid group id 3 for resource 'yyy'");
  CHECK(with("cpus[0]:cpus[1],cpus[0]:cpus[1]=3") == "Repeated coupling definition");
  CHECK(with("cpus[0]:yyy[1],yyy[1]:cpus[0]") == "Repeated coupling definition");
  CHECK(with("cpus[0]:a[0]") == "Resource 'a' has only a single group");
}

TEST_CASE("detection can be narrowed to some resources") {
  CHECK(*parse_detect_resources("all") == DetectResources{});
  CHECK(*parse_detect_resources("none") == DetectResources{false, false, false, false});
  CHECK(*parse_detect_resources("mem,gpus/amd") == DetectResources{false, true, false, true});
  CHECK(message(parse_detect_resources("foo")) == "invalid variant: foo");
  CHECK(message(parse_detect_resources("cpus,none")) == "invalid variant: none");
  CHECK(message(parse_detect_resources("cpus, mem")) == "invalid variant:  mem");
  CHECK(message(parse_detect_resources("")) == "invalid variant: ");
}
