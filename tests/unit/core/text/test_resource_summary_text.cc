#include <doctest/doctest.h>

#include "hq/core/text/resource_definition_text.h"
#include "hq/core/text/resource_summary_text.h"

using namespace hq;

namespace {

std::string summary(std::string_view text) {
  return resource_summary(*parse_resource_definition(text));
}

}  // namespace

TEST_CASE("a resource is summed up in a few characters") {
  CHECK(summary("x=[a,b]") == "2");
  CHECK(summary("x=range(5-9)") == "5");
  CHECK(summary("x=2x4") == "2x4");
  CHECK(summary("x=[[a,b],[c,d],[e,f],[g,h],[i,j],[1,2,3,4,5,6]]") == "5x2 1x6");
  CHECK(summary("x=sum(10.25)") == "10.25");
  CHECK(resource_summary({"cpus", ResourceGroups{{{"0", "1", "2"}}}}) == "3");
}

TEST_CASE("memory is summed up in binary units") {
  CHECK(summary("mem=sum(1000.5)") == "0.98 GiB");
  CHECK(summary("mem=sum(24105.5625)") == "23.54 GiB");
  CHECK(summary("mem=sum(2000)") == "1.95 GiB");
  CHECK(summary("mem=sum(511.5)") == "511.50 MiB");
  CHECK(summary("mem=sum(512)") == "0.50 GiB");
  CHECK(summary("mem=[a]") == "1");
}

TEST_CASE("a resource is described with all its labels") {
  CHECK(resource_description({"cpus", ResourceList{{"0", "1"}}}) == "[0,1]");
  CHECK(resource_description({"cpus", ResourceGroups{{{"0", "1"}, {"2"}}}}) == "[[0,1],[2]]");
  CHECK(resource_description({"r", ResourceSpan{1, 2}}) == "range(1-2)");
  CHECK(resource_description({"r", ResourceSpan{3, 3}}) == "[3]");
  CHECK(resource_description({"mem", ResourceSum{Amount::from_scaled(241055625)}}) == "sum(24105.5625)");
}
