#include "cli/commands/resource_json.h"

namespace hq::cli {

void write_labels(JsonWriter& json, const std::vector<std::string>& labels) {
  json.begin_array();
  for (const std::string& label : labels) json.value(label);
  json.end_array();
}

void write_coupling(JsonWriter& json, const std::vector<CouplingWeight>& coupling) {
  json.begin_object();
  json.key("weights");
  json.begin_array();
  for (const CouplingWeight& weight : coupling) {
    json.begin_object();
    json.member("group1_idx", uint32_t{weight.group1});
    json.member("group2_idx", uint32_t{weight.group2});
    json.member("resource1_idx", uint32_t{weight.resource1});
    json.member("resource2_idx", uint32_t{weight.resource2});
    json.member("weight", uint32_t{weight.weight});
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace hq::cli
