#include "hq/core/text/resource_definition_text.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/text/amount_parser.h"
#include "core/text/scanner.h"
#include "hq/core/text/parse_error.h"

namespace hq {

namespace {

using text::Scanner;

const std::string kEndWord(kEndOfInput);
constexpr std::string_view kKind = "resource kind";
constexpr uint64_t kMaxLabels = 1 << 20;

using Labels = std::vector<std::string>;

bool unique(const Labels& labels) {
  return std::set<std::string_view>(labels.begin(), labels.end()).size() == labels.size();
}

bool in_bare_label(char c) {
  return c != ',' && c != '[' && c != ']' && c != '"' && !text::is_blank(c);
}

Result<std::string> label(Scanner& in) {
  std::string out;
  if (in.take('"')) {
    while (!in.at_end() && in.peek() != '"') {
      out += in.peek();
      in.skip(1);
    }
    if (out.empty()) return in.unexpected(kKind, {});
    if (!in.take('"')) return in.unexpected(kKind, {"\""});
    return out;
  }
  while (!in.at_end() && in_bare_label(in.peek())) {
    out += in.peek();
    in.skip(1);
  }
  if (out.empty()) return in.unexpected(kKind, {"\""});
  return out;
}

// Labels up to and with the closing bracket, the opening one and blanks being taken. REQUIRES: not at "]".
Result<Labels> labels(Scanner& in) {
  Labels out;
  do {
    in.skip_blanks();
    auto next = label(in);
    if (!next) return next.error();
    out.push_back(std::move(*next));
    in.skip_blanks();
  } while (in.take(','));
  if (!in.take(']')) return in.unexpected(kKind, {",", "]"});
  return out;
}

// Groups up to and with the closing bracket of all, standing at the first group.
Result<ResourceKind> groups(Scanner& in) {
  ResourceGroups out;
  do {
    in.skip_blanks();
    const size_t begin = in.position();
    if (!in.take('[')) return in.unexpected(kKind, {"["});
    in.skip_blanks();
    if (in.take(']')) return in.refused(begin, kKind, "Each group has to contain at least a single element");
    auto group = labels(in);
    if (!group) return group.error();
    if (!unique(*group)) return in.refused(begin, kKind, "Group items have to be unique");
    out.groups.push_back(std::move(*group));
    in.skip_blanks();
  } while (in.take(','));
  if (!in.take(']')) return in.unexpected(kKind, {",", "]"});
  if (out.groups.size() == 1) return ResourceKind(ResourceList{std::move(out.groups.front())});
  return ResourceKind(std::move(out));
}

Result<ResourceKind> bracketed(Scanner& in) {
  const size_t begin = in.position();
  in.skip(1);
  in.skip_blanks();
  if (in.take(']')) return in.refused(begin, kKind, "List has to contain at least a single element");
  if (in.peek() == '[') return groups(in);
  auto list = labels(in);
  if (!list) return list.error();
  if (!unique(*list)) return in.refused(begin, kKind, "List items have to be unique");
  return ResourceKind(ResourceList{std::move(*list)});
}

Result<uint32_t> label_number(Scanner& in, std::string_view label) {
  const auto found = in.number();
  if (!found) return in.unexpected("number", {});
  if (!found->value) return in.refused(found->at, label, text::kNotU32);
  return *found->value;
}

Result<ResourceKind> range(Scanner& in, size_t begin) {
  in.skip_blanks();
  const auto first = label_number(in, "range");
  if (!first) return first.error();
  in.skip_blanks();
  if (!in.take('-')) return in.unexpected("range", {"-"});
  in.skip_blanks();
  const auto last = label_number(in, "range");
  if (!last) return last.error();
  in.skip_blanks();
  if (!in.take(')')) return in.unexpected("range", {")"});
  if (*last < *first) return in.refused(begin, kKind, "Start must be greater or equal to end");
  return ResourceKind(ResourceSpan{*first, *last});
}

Result<ResourceKind> sum(Scanner& in) {
  in.skip_blanks();
  const auto amount = text::parse_amount(in, "sum", {});
  if (!amount) return amount.error();
  in.skip_blanks();
  if (!in.take(')')) return in.unexpected("sum", {")"});
  return ResourceKind(ResourceSum{amount->amount});
}

// "2x3", or "4" where a plain number is allowed.
Result<ResourceKind> numbered(Scanner& in, bool plain_number) {
  const size_t begin = in.position();
  const auto n = label_number(in, kKind);
  if (!n) return n.error();
  if (plain_number && in.at_end()) {
    if (*n == 0) return ResourceKind(ResourceSum{});
    return ResourceKind(ResourceSpan{0, *n - 1});
  }
  if (!in.take('x')) return in.unexpected("number", {"_", "x"});
  const auto m = label_number(in, kKind);
  if (!m) return m.error();
  if (!in.at_end()) return in.unexpected("number", {"_", kEndWord});
  if (*n == 0 || *m == 0) return in.refused(begin, kKind, "Both numbers have to be positive");
  if (*n == 1) return ResourceKind(ResourceSpan{0, *m - 1});
  if (uint64_t{*n} * *m > kMaxLabels)
    return in.refused(begin, kKind, "Too many indices, at most 1048576 are possible");
  ResourceGroups out;
  uint32_t next = 0;
  for (uint32_t i = 0; i < *n; ++i) {
    auto& group = out.groups.emplace_back();
    for (uint32_t j = 0; j < *m; ++j) group.push_back(std::to_string(next++));
  }
  return ResourceKind(std::move(out));
}

Result<ResourceKind> named(Scanner& in) {
  const size_t begin = in.position();
  const std::string_view word = in.identifier();
  if (word != "range" && word != "sum") return in.unexpected(kKind, {"range", "sum"}, word);
  in.skip(word.size());
  if (!in.take('(')) return in.unexpected(kKind, {"("});
  return word == "range" ? range(in, begin) : sum(in);
}

Result<ResourceKind> definition(Scanner& in, bool plain_number) {
  if (text::is_digit(in.peek())) return numbered(in, plain_number);
  const bool bracket = in.peek() == '[';
  if (!bracket && in.identifier().empty()) return in.unexpected("number", {"[", "range", "sum"});
  auto kind = bracket ? bracketed(in) : named(in);
  if (kind && !in.at_end()) return in.unexpected("", {kEndWord});
  return kind;
}

Result<void> check_item(const ResourceItem& item) {
  if (item.name == kCpus && std::holds_alternative<ResourceSum>(item.kind)) {
    return Error("Resource kind `sum` cannot be used with CPUs. CPUs must have identity");
  }
  if (item.size().is_zero()) return Error("Resource " + item.name + " is empty");
  if (std::holds_alternative<ResourceSpan>(item.kind)) return {};  // unique by itself, and may be long
  Labels all;
  for (auto& group : item.label_groups()) all.insert(all.end(), group.begin(), group.end());
  if (!unique(all)) {
    return Error("Invalid resource definition for " + item.name + ": GenericError(\"Non unique indices\")");
  }
  return {};
}

// --- coupling ---------------------------------------------------------------------------------------------

template <class T>
std::optional<T> parse_small(std::string_view text) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct CoupledGroup {
  uint8_t resource = 0;
  uint8_t group = 0;
};

Result<CoupledGroup> coupled_group(std::string_view part, const std::vector<ResourceItem>& items) {
  part = text::trim(part);
  if (!part.ends_with(']')) return Error("Missing ']'");
  const size_t open = part.find('[');
  if (open == std::string_view::npos) return Error("Missing '['");
  const std::string name(text::trim(part.substr(0, open)));
  const std::string index(text::trim(part.substr(open + 1, part.size() - open - 2)));
  const auto group = parse_small<uint8_t>(index);
  if (!group) return Error("Invalid group index: " + index);

  const auto item =
      std::find_if(items.begin(), items.end(), [&](const ResourceItem& i) { return i.name == name; });
  if (item == items.end()) return Error("Resource not found: " + name);
  const auto position = item - items.begin();
  if (position > UINT8_MAX)
    return Error("Resource '" + name + "' cannot be coupled: there are too many resources");
  const auto* groups = std::get_if<ResourceGroups>(&item->kind);
  if (!groups || groups->groups.size() < 2) return Error("Resource '" + name + "' has only a single group");
  if (*group >= groups->groups.size()) {
    return Error("Invalid group id " + std::to_string(*group) + " for resource '" + name + "'");
  }
  return CoupledGroup{uint8_t(position), *group};
}

Result<CouplingWeight> coupling_item(std::string_view item, const std::vector<ResourceItem>& items) {
  CouplingWeight out;
  if (const size_t equals = item.find('='); equals != std::string_view::npos) {
    const std::string text(text::trim(item.substr(equals + 1)));
    const auto weight = parse_small<uint16_t>(text);
    if (!weight) return Error("Invalid weight: " + text);
    out.weight = *weight;
    item = item.substr(0, equals);
  }
  const size_t colon = item.find(':');
  if (colon == std::string_view::npos) return Error("Missing ':'");
  auto first = coupled_group(item.substr(0, colon), items);
  if (!first) return first.error();
  auto second = coupled_group(item.substr(colon + 1), items);
  if (!second) return second.error();
  if (second->resource < first->resource) std::swap(*first, *second);
  out.resource1 = first->resource;
  out.group1 = first->group;
  out.resource2 = second->resource;
  out.group2 = second->group;
  return out;
}

}  // namespace

Result<ResourceKind> parse_cpu_definition(std::string_view text) {
  Scanner in(text);
  return definition(in, true);
}

Result<ResourceItem> parse_resource_definition(std::string_view text) {
  Scanner in(text);
  in.skip_blanks();
  ResourceItem item;
  item.name = text::take_resource_name(in);
  if (item.name.empty()) return in.unexpected("resource name", {"identifier"});
  in.skip_blanks();
  if (!in.take('=')) return in.unexpected("resource name", {"="});
  in.skip_blanks();
  auto kind = definition(in, false);
  if (!kind) return kind.error();
  item.kind = std::move(*kind);
  return item;
}

Result<std::vector<ResourceItem>> combine_definitions(std::optional<ResourceKind> cpus,
                                                      std::vector<ResourceItem> resources) {
  if (!cpus) return resources;
  for (const auto& item : resources) {
    if (item.name == kCpus) return Error("Parameters --cpus and --resource cpus=... cannot be combined");
  }
  resources.insert(resources.begin(), {std::string(kCpus), std::move(*cpus)});
  return resources;
}

Result<std::vector<CouplingWeight>> parse_coupling(std::string_view text,
                                                   const std::vector<ResourceItem>& items) {
  std::vector<CouplingWeight> out;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    const auto weight = coupling_item(text.substr(0, comma), items);
    if (!weight) return weight.error();
    out.push_back(*weight);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  std::sort(out.begin(), out.end());
  const auto repeated = std::adjacent_find(out.begin(), out.end(), [](CouplingWeight a, CouplingWeight b) {
    a.weight = b.weight;  // also with another weight it is a repetition
    return a == b;
  });
  if (repeated != out.end()) return Error("Repeated coupling definition");
  return out;
}

Result<ResourceDescriptor> make_descriptor(std::vector<ResourceItem> items,
                                           std::optional<std::string_view> coupling) {
  std::stable_sort(items.begin(), items.end(),
                   [](const ResourceItem& a, const ResourceItem& b) { return a.name < b.name; });
  for (size_t i = 0; i < items.size(); ++i) {
    if (auto checked = check_item(items[i]); !checked) return checked.error();
    if (i > 0 && items[i].name == items[i - 1].name)
      return Error("Resource " + items[i].name + " defined twice");
  }
  ResourceDescriptor out;
  out.items = std::move(items);
  if (coupling) {
    auto weights = parse_coupling(*coupling, out.items);
    if (!weights) return weights.error();
    out.coupling = std::move(*weights);
  }
  return out;
}

Result<DetectResources> parse_detect_resources(std::string_view text) {
  if (text == "all") return DetectResources{};
  DetectResources out{false, false, false, false};
  if (text == "none") return out;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    bool* const flag = name == kCpus         ? &out.cpus
                       : name == kMem        ? &out.mem
                       : name == kNvidiaGpus ? &out.nvidia
                       : name == kAmdGpus    ? &out.amd
                                             : nullptr;
    if (!flag) return Error("invalid variant: " + std::string(name));
    *flag = true;
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return out;
}

}  // namespace hq
