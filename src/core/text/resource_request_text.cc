#include "hq/core/text/resource_request_text.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/text/amount_parser.h"
#include "core/text/scanner.h"
#include "hq/core/text/parse_error.h"

namespace hq {

namespace {

using text::Scanner;

const std::string kEnd(kEndOfInput);

constexpr std::array kPolicies = {Policy::kCompact, Policy::kForceCompact, Policy::kTight,
                                  Policy::kForceTight, Policy::kScatter};

size_t common_prefix(std::string_view a, std::string_view b) {
  return size_t(std::mismatch(a.begin(), a.begin() + long(std::min(a.size(), b.size())), b.begin()).first -
                a.begin());
}

// The policy that is the whole rest of the text. `first` holds what else could stand in its place.
Result<Policy> parse_policy(Scanner& in, std::string_view label, std::vector<std::string> first) {
  const std::string_view rest = in.rest();
  size_t furthest = 0;
  for (Policy policy : kPolicies) {
    if (rest == policy_text(policy)) return policy;
    furthest = std::max(furthest, common_prefix(rest, policy_text(policy)));
  }
  std::vector<std::string> expected = furthest == 0 ? std::move(first) : std::vector<std::string>{};
  for (Policy policy : kPolicies) {
    const std::string_view word = policy_text(policy);
    if (common_prefix(rest, word) < furthest) continue;
    expected.push_back(word.size() == furthest ? kEnd : std::string(word.substr(furthest, 1)));
  }
  in.skip(furthest);
  return in.unexpected(furthest == 0 ? label : "", std::move(expected));
}

struct SizeUnit {
  uint64_t numerator;  // MiB = amount * numerator / denominator
  uint64_t denominator;
};

std::optional<SizeUnit> size_unit(std::string_view word) {
  std::string lower;
  for (char c : word) lower += char(c | 0x20);
  if (lower.size() > 3 || (lower.size() == 2 && lower[1] != 'b') ||
      (lower.size() == 3 && lower.substr(1) != "ib")) {
    return std::nullopt;
  }
  switch (lower.empty() ? '\0' : lower[0]) {
    case 'k':
      return SizeUnit{1, 1024};
    case 'm':
      return SizeUnit{1, 1};
    case 'g':
      return SizeUnit{1024, 1};
    case 't':
      return SizeUnit{1024 * 1024, 1};
    default:
      return std::nullopt;
  }
}

// Takes a size word, if there is one, and converts `amount` to MiB.
Result<bool> take_size(Scanner& in, size_t amount_at, Amount& amount) {
  size_t n = 0;
  while (n < in.rest().size() && text::is_letter(in.rest()[n])) ++n;
  const auto unit = size_unit(in.rest().substr(0, n));
  if (!unit) return false;
  in.skip(n);
  // At most 2^32 * 10^4 * 2^20, which is above 64 bits.
  const unsigned __int128 product = static_cast<unsigned __int128>(amount.scaled) * unit->numerator;
  const unsigned __int128 scaled = (product + unit->denominator - 1) / unit->denominator;
  if (scaled > uint64_t{UINT32_MAX} * Amount::kScale) return in.refused(amount_at, "", text::kNotU32);
  amount = Amount::from_scaled(uint64_t(scaled));
  return true;
}

Result<ResourceEntry> allocation(Scanner& in, std::string_view name) {
  ResourceEntry entry;
  entry.name = name;
  in.skip_blanks();
  const std::string_view word = in.identifier();
  if (word == "all") {
    in.skip(word.size());
    if (!in.at_end()) return in.unexpected("", {kEnd});
    entry.policy = Policy::kAll;
    return entry;
  }
  if (!word.empty()) return in.unexpected("", {"all"}, word);

  const auto amount = text::parse_amount(in, "", {"all"});
  if (!amount) return amount.error();
  entry.amount = amount->amount;
  if (entry.amount.is_zero()) return in.refused(amount->at, "", "Zero resources cannot be requested");
  bool closed = in.skip_blanks();  // the number can't go on
  if (name == kMem) {
    const auto sized = take_size(in, amount->at, entry.amount);
    if (!sized) return sized.error();
    closed = in.skip_blanks() || *sized || closed;
  }
  if (in.at_end()) return entry;
  std::vector<std::string> expected{kEnd};
  if (!closed) expected.push_back("_");
  if (!closed && !amount->has_fraction) expected.push_back(".");
  const auto policy = parse_policy(in, closed ? "" : "number", std::move(expected));
  if (!policy) return policy.error();
  entry.policy = *policy;
  return entry;
}

void append_variant(std::vector<std::string>& lines, const ResourceVariant& variant) {
  if (variant.nodes > 0) {
    lines.push_back("nodes: " + std::to_string(variant.nodes));
    return;
  }
  std::vector<ResourceEntry> entries = variant.entries;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const ResourceEntry& a, const ResourceEntry& b) { return a.name < b.name; });
  for (const auto& entry : entries) lines.push_back(entry.name + ": " + entry.text());
  if (variant.weight != Amount::kScale) {
    lines.push_back("[weight: " + Amount::from_scaled(variant.weight).text() + "]");
  }
}

}  // namespace

Result<ResourceEntry> parse_allocation(std::string_view name, std::string_view text) {
  Scanner in(text);
  return allocation(in, name);
}

Result<ResourceEntry> parse_resource_request(std::string_view text) {
  Scanner in(text);
  in.skip_blanks();
  const std::string name = text::take_resource_name(in);
  if (name.empty()) return in.unexpected("", {"identifier"});
  in.skip_blanks();
  if (!in.take('=')) return in.unexpected("", {"="});
  return allocation(in, name);
}

bool is_resource_name(std::string_view name) {
  Scanner in(name);
  return !text::take_resource_name(in).empty() && in.at_end();
}

Result<std::vector<ResourceEntry>> combine_request(std::optional<ResourceEntry> cpus,
                                                   std::vector<ResourceEntry> resources) {
  std::set<std::string_view> names;
  for (const auto& entry : resources) {
    if (cpus && entry.name == kCpus) return Error("--cpus and --resource cpus=... cannot be combined");
    if (!names.insert(entry.name).second)
      return Error("Resource '" + entry.name + "' defined more than once");
  }
  if (!cpus && !names.contains(kCpus))
    cpus = ResourceEntry{std::string(kCpus), Amount::units(1), Policy::kCompact};
  if (cpus) resources.insert(resources.begin(), std::move(*cpus));
  return resources;
}

std::vector<std::string> request_lines(const ResourceRequest& request) {
  std::vector<std::string> lines;
  const bool several = request.variants.size() > 1;
  for (size_t i = 0; i < request.variants.size(); ++i) {
    if (i > 0) lines.emplace_back();
    if (several) lines.push_back("# Variant " + std::to_string(i + 1));
    append_variant(lines, request.variants[i]);
  }
  return lines;
}

}  // namespace hq
