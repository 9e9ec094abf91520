#include "hq/core/resource_pool.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "hq/base/assert.h"

namespace hq {

namespace {

// What a group could give: indices that are whole, and whether one that is not has enough for the fraction.
struct Offer {
  uint32_t group = 0;
  uint64_t whole = 0;
  bool fraction = false;
};

// Least number of groups that give `whole` indices and, if asked for, a fraction; and which. Groups that give
// most come first; the last of them is the smallest that completes the rest, better one whose broken index
// has the fraction than one that has to break another.
std::vector<Offer> fewest_groups(std::vector<Offer> offers, uint64_t whole, bool fraction) {
  std::stable_sort(offers.begin(), offers.end(),
                   [](const Offer& a, const Offer& b) { return a.whole > b.whole; });
  std::vector<Offer> chosen;
  uint64_t sum = 0;
  bool broken = !fraction;  // nothing has to be broken (any more)
  for (size_t k = 0; k < offers.size(); ++k) {
    const Offer* last = nullptr;
    for (size_t i = offers.size(); i-- > k;) {
      const bool gentle = broken || offers[i].fraction;
      if (sum + offers[i].whole < whole + (gentle ? 0 : 1)) continue;
      if (last == nullptr || (gentle && !broken && !last->fraction)) last = &offers[i];
    }
    if (last != nullptr) {
      chosen.push_back(*last);
      return chosen;
    }
    chosen.push_back(offers[k]);
    sum += offers[k].whole;
    broken = broken || offers[k].fraction;
  }
  return {};
}

// Gives `whole` out over the groups, one after the other (tight) or evenly (compact, scatter).
void spread(const std::vector<Offer>& offers, uint64_t whole, bool evenly, std::vector<uint32_t>& given) {
  if (!evenly) {
    for (const Offer& offer : offers) {
      const uint64_t n = std::min(whole, offer.whole);
      given[offer.group] = uint32_t(n);
      whole -= n;
    }
    return;
  }
  while (whole > 0) {
    for (const Offer& offer : offers) {
      if (whole == 0 || given[offer.group] == offer.whole) continue;
      ++given[offer.group];
      --whole;
    }
  }
}

// Of groups that are compared for coupling; a node has a handful.
constexpr size_t kMostSets = 1000;
constexpr uint64_t kMostCombinations = 20'000;

}  // namespace

// --- claim ----------------------------------------------------------------------------------------------

ResourceClaim::ResourceClaim(ResourceClaim&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), parts_(std::move(other.parts_)) {}

ResourceClaim& ResourceClaim::operator=(ResourceClaim&& other) noexcept {
  if (this != &other) {
    give_back();
    pool_ = std::exchange(other.pool_, nullptr);
    parts_ = std::move(other.parts_);
  }
  return *this;
}

void ResourceClaim::give_back() {
  if (pool_ == nullptr) return;
  for (const Part& part : parts_) pool_->put_back(part);
  parts_.clear();
  pool_ = nullptr;
}

const ResourceClaim::Part* ResourceClaim::find(std::string_view resource) const {
  for (const Part& part : parts_) {
    if (pool_->resources_[part.resource].name == resource) return &part;
  }
  return nullptr;
}

std::vector<std::string> ResourceClaim::labels(std::string_view resource) const {
  const Part* part = find(resource);
  if (part == nullptr) return {};
  std::vector<std::string> labels;
  labels.reserve(part->pieces.size());
  for (const Piece& piece : part->pieces)
    labels.push_back(pool_->resources_[part->resource].labels[piece.index]);
  return labels;
}

Amount ResourceClaim::amount(std::string_view resource) const {
  const Part* part = find(resource);
  return part == nullptr ? Amount() : part->amount;
}

// --- pool -----------------------------------------------------------------------------------------------

ResourcePool::ResourcePool(const ResourceDescriptor& descriptor) : coupling_(descriptor.coupling) {
  for (const ResourceItem& item : descriptor.items) {
    Resource& resource = resources_.emplace_back();
    resource.name = item.name;
    resource.sum = std::holds_alternative<ResourceSum>(item.kind);
    resource.size = resource.free = item.size();
    if (resource.sum) continue;
    for (auto& labels : item.label_groups()) {
      Group& group = resource.groups.emplace_back();
      group.size = uint32_t(labels.size());
      for (auto& label : labels) {
        group.whole.push_back(uint32_t(resource.labels.size()));
        resource.labels.push_back(std::move(label));
        resource.group_of.push_back(uint32_t(resource.groups.size() - 1));
        resource.free_of.push_back(Amount::kScale);
      }
      std::reverse(group.whole.begin(), group.whole.end());
    }
  }
}

const ResourcePool::Resource* ResourcePool::find(std::string_view name) const {
  for (const Resource& resource : resources_) {
    if (resource.name == name) return &resource;
  }
  return nullptr;
}

Amount ResourcePool::free(std::string_view resource) const {
  const Resource* found = find(resource);
  return found == nullptr ? Amount() : found->free;
}

Amount ResourcePool::total(std::string_view resource) const {
  const Resource* found = find(resource);
  return found == nullptr ? Amount() : found->size;
}

std::optional<ResourcePool::Choice> ResourcePool::choose_groups(const Resource& resource, uint64_t whole,
                                                                uint64_t fraction, Policy policy,
                                                                const std::vector<uint32_t>* within) {
  std::vector<Offer> now;
  std::vector<Offer> empty;  // what the groups would offer with nothing taken
  for (uint32_t g = 0; g < resource.groups.size(); ++g) {
    const Group& group = resource.groups[g];
    const bool broken =
        fraction > 0 && std::any_of(group.partial.begin(), group.partial.end(),
                                    [&](uint32_t index) { return resource.free_of[index] >= fraction; });
    empty.push_back({g, group.size, false});
    if (within != nullptr && std::find(within->begin(), within->end(), g) == within->end()) continue;
    now.push_back({g, group.whole.size(), broken});
  }
  std::vector<Offer> chosen = fewest_groups(std::move(now), whole, fraction > 0);
  if (chosen.empty()) return std::nullopt;
  const bool strict = policy == Policy::kForceCompact || policy == Policy::kForceTight;
  if (strict && chosen.size() > fewest_groups(std::move(empty), whole, fraction > 0).size()) {
    return std::nullopt;
  }
  Choice choice;
  choice.whole_of_group.resize(resource.groups.size());
  const bool evenly = policy == Policy::kCompact || policy == Policy::kForceCompact;
  spread(chosen, whole, evenly, choice.whole_of_group);
  if (fraction == 0) return choice;
  for (const Offer& offer : chosen) {
    if (offer.fraction) {
      choice.fraction_group = offer.group;
      return choice;
    }
  }
  for (const Offer& offer : chosen) {
    if (choice.whole_of_group[offer.group] < offer.whole) choice.fraction_group = offer.group;
  }
  HQ_ASSERT(choice.fraction_group);
  choice.fraction_breaks_whole = true;
  return choice;
}

std::optional<ResourcePool::Choice> ResourcePool::choose_scatter(const Resource& resource, uint64_t whole,
                                                                 uint64_t fraction) {
  std::vector<Offer> offers;
  uint64_t available = 0;
  Choice choice;
  choice.whole_of_group.resize(resource.groups.size());
  for (uint32_t g = 0; g < resource.groups.size(); ++g) {
    const Group& group = resource.groups[g];
    offers.push_back({g, group.whole.size(), false});
    available += group.whole.size();
    for (uint32_t index : group.partial) {
      if (fraction > 0 && resource.free_of[index] >= fraction) choice.fraction_group = g;
    }
  }
  choice.fraction_breaks_whole = fraction > 0 && !choice.fraction_group;
  if (available < whole + (choice.fraction_breaks_whole ? 1 : 0)) return std::nullopt;
  spread(offers, whole, true, choice.whole_of_group);
  if (!choice.fraction_breaks_whole) return choice;
  for (const Offer& offer : offers) {  // where least was taken, as the next of the round
    if (choice.whole_of_group[offer.group] == offer.whole) continue;
    if (!choice.fraction_group ||
        choice.whole_of_group[offer.group] < choice.whole_of_group[*choice.fraction_group]) {
      choice.fraction_group = offer.group;
    }
  }
  return choice;
}

std::optional<ResourcePool::Choice> ResourcePool::choose(const Resource& resource, const ResourceEntry& entry,
                                                         const std::vector<uint32_t>* within) {
  const uint64_t whole = entry.amount.whole();
  const uint64_t fraction = entry.amount.fraction();
  if (entry.policy == Policy::kScatter) return choose_scatter(resource, whole, fraction);
  return choose_groups(resource, whole, fraction, entry.policy, within);
}

// --- coupling -------------------------------------------------------------------------------------------

// All sets of as few groups as can satisfy the entry.
std::vector<std::vector<uint32_t>> ResourcePool::least_sets(const Resource& resource,
                                                            const ResourceEntry& entry, bool empty) {
  const uint64_t whole = entry.amount.whole();
  const uint64_t fraction = entry.amount.fraction();
  std::vector<Offer> offers;
  for (uint32_t g = 0; g < resource.groups.size(); ++g) {
    const Group& group = resource.groups[g];
    const bool broken = !empty && fraction > 0 &&
                        std::any_of(group.partial.begin(), group.partial.end(),
                                    [&](uint32_t index) { return resource.free_of[index] >= fraction; });
    offers.push_back({g, empty ? group.size : group.whole.size(), broken});
  }
  const size_t least = fewest_groups(offers, whole, fraction > 0).size();
  std::vector<std::vector<uint32_t>> sets;
  if (least == 0) return sets;
  std::vector<size_t> at(least);
  std::iota(at.begin(), at.end(), size_t{0});
  while (sets.size() < kMostSets) {
    std::vector<Offer> some;
    std::vector<uint32_t> set;
    for (size_t i : at) {
      some.push_back(offers[i]);
      set.push_back(offers[i].group);
    }
    if (!fewest_groups(some, whole, fraction > 0).empty()) sets.push_back(std::move(set));
    // The next combination in order of the indices.
    size_t k = least;
    while (k > 0 && at[k - 1] == offers.size() - least + k - 1) --k;
    if (k == 0) break;
    ++at[k - 1];
    for (size_t i = k; i < least; ++i) at[i] = at[i - 1] + 1;
  }
  return sets;
}

uint64_t ResourcePool::score_of(const GroupSets& groups) const {
  const auto takes = [&](uint32_t resource, uint32_t group) {
    const auto found = groups.find(resource);
    return found != groups.end() &&
           std::find(found->second.begin(), found->second.end(), group) != found->second.end();
  };
  uint64_t score = 0;
  for (const CouplingWeight& c : coupling_) {
    if (takes(c.resource1, c.group1) && takes(c.resource2, c.group2)) score += c.weight;
  }
  return score;
}

std::optional<ResourcePool::Coupled> ResourcePool::couple(const ResourceVariant& variant, bool empty) const {
  Coupled best;
  struct Coupling {
    uint32_t resource;
    std::vector<std::vector<uint32_t>> sets;
  };
  std::vector<Coupling> entries;
  uint64_t combinations = 1;
  for (const ResourceEntry& entry : variant.entries) {
    if (entry.policy == Policy::kScatter || entry.policy == Policy::kAll || entry.amount.is_zero()) continue;
    const Resource* resource = find(entry.name);
    if (resource == nullptr || resource->sum || resource->groups.size() < 2) continue;
    const auto number = uint32_t(resource - resources_.data());
    const bool coupled = std::any_of(coupling_.begin(), coupling_.end(), [&](const CouplingWeight& c) {
      return c.resource1 == number || c.resource2 == number;
    });
    if (!coupled) continue;
    entries.push_back({number, least_sets(*resource, entry, empty)});
    if (entries.back().sets.empty()) return std::nullopt;
    combinations *= entries.back().sets.size();
    // Too many to look at all of them: those looked at are as few groups as any.
    if (combinations > kMostCombinations) return Coupled{};
  }
  bool first = true;
  for (uint64_t c = 0; c < combinations && !entries.empty(); ++c) {
    GroupSets groups;
    uint64_t rest = c;
    for (const Coupling& entry : entries) {
      groups[entry.resource] = entry.sets[rest % entry.sets.size()];
      rest /= entry.sets.size();
    }
    const uint64_t score = score_of(groups);
    if (!first && score <= best.score) continue;
    first = false;
    best = {std::move(groups), score};
  }
  return best;
}

// The groups to keep to; nothing if a strict entry does not reach what an empty worker would give it.
std::optional<ResourcePool::GroupSets> ResourcePool::groups_for(const ResourceVariant& variant) const {
  if (coupling_.empty()) return GroupSets{};
  auto now = couple(variant, false);
  if (!now) return std::nullopt;
  // No pair of what is taken is coupled: the usual choice is as good as any.
  if (now->score == 0) now->groups.clear();
  const bool strict = std::any_of(variant.entries.begin(), variant.entries.end(), [](const auto& entry) {
    return entry.policy == Policy::kForceCompact || entry.policy == Policy::kForceTight;
  });
  if (strict) {
    const auto ideal = couple(variant, true);
    if (ideal && now->score < ideal->score) return std::nullopt;
  }
  return std::move(now->groups);
}

bool ResourcePool::fits_entry(const Resource* resource, const ResourceEntry& entry) {
  if (entry.policy == Policy::kAll) {
    return resource != nullptr && !resource->size.is_zero() && resource->free == resource->size;
  }
  if (entry.amount.is_zero()) return true;
  if (resource == nullptr || resource->free < entry.amount) return false;
  return resource->sum || choose(*resource, entry, nullptr).has_value();
}

bool ResourcePool::fits(const ResourceVariant& variant) const {
  return std::all_of(variant.entries.begin(), variant.entries.end(),
                     [&](const ResourceEntry& entry) { return fits_entry(find(entry.name), entry); }) &&
         groups_for(variant).has_value();
}

bool ResourcePool::has_amounts(const ResourceVariant& variant) const {
  return std::all_of(variant.entries.begin(), variant.entries.end(), [&](const ResourceEntry& entry) {
    if (entry.policy == Policy::kAll) return fits_entry(find(entry.name), entry);
    return entry.amount <= free(entry.name);
  });
}

ResourceClaim::Part ResourcePool::take(Resource& resource, uint32_t number, const ResourceEntry& entry,
                                       const std::vector<uint32_t>* within) {
  ResourceClaim::Part part{number, entry.policy == Policy::kAll ? resource.size : entry.amount, {}};
  if (resource.sum) {
    resource.free = resource.free - part.amount;
    return part;
  }
  const auto choice = choose(resource, {entry.name, part.amount, entry.policy}, within);
  HQ_ASSERT(choice);
  for (uint32_t g = 0; g < resource.groups.size(); ++g) {
    Group& group = resource.groups[g];
    for (uint32_t n = choice->whole_of_group[g]; n > 0; --n) {
      part.pieces.push_back({group.whole.back(), Amount::kScale});
      resource.free_of[group.whole.back()] = 0;
      group.whole.pop_back();
    }
  }
  std::sort(part.pieces.begin(), part.pieces.end(), [](auto& a, auto& b) { return a.index < b.index; });
  if (choice->fraction_group) {
    const uint64_t fraction = part.amount.fraction();
    Group& group = resource.groups[*choice->fraction_group];
    if (choice->fraction_breaks_whole) {
      group.partial.push_back(group.whole.back());
      group.whole.pop_back();
    }
    // The fullest one that still has enough, so that larger rests stay for larger fractions.
    auto best = group.partial.end();
    for (auto it = group.partial.begin(); it != group.partial.end(); ++it) {
      if (resource.free_of[*it] < fraction) continue;
      if (best == group.partial.end() || resource.free_of[*it] < resource.free_of[*best]) best = it;
    }
    HQ_ASSERT(best != group.partial.end());
    part.pieces.push_back({*best, fraction});
    resource.free_of[*best] -= fraction;
    if (resource.free_of[*best] == 0) group.partial.erase(best);
  }
  resource.free = resource.free - part.amount;
  return part;
}

std::optional<ResourceClaim> ResourcePool::allocate(const ResourceVariant& variant) {
  if (!fits(variant)) return std::nullopt;
  const GroupSets groups = *groups_for(variant);
  ResourceClaim claim;
  claim.pool_ = this;
  for (const ResourceEntry& entry : variant.entries) {
    const Resource* found = find(entry.name);
    if (found == nullptr || (entry.amount.is_zero() && entry.policy != Policy::kAll)) continue;
    const auto number = uint32_t(found - resources_.data());
    const auto within = groups.find(number);
    claim.parts_.push_back(
        take(resources_[number], number, entry, within == groups.end() ? nullptr : &within->second));
  }
  return claim;
}

void ResourcePool::put_back(const ResourceClaim::Part& part) {
  Resource& resource = resources_[part.resource];
  resource.free = resource.free + part.amount;
  for (auto piece = part.pieces.rbegin(); piece != part.pieces.rend(); ++piece) {
    Group& group = resource.groups[resource.group_of[piece->index]];
    const uint64_t before = resource.free_of[piece->index];
    const uint64_t after = before + piece->scaled;
    HQ_ASSERT(after <= Amount::kScale);
    resource.free_of[piece->index] = after;
    if (after == Amount::kScale) {
      if (before > 0) std::erase(group.partial, piece->index);
      group.whole.push_back(piece->index);
    } else if (before == 0) {
      group.partial.push_back(piece->index);
    }
  }
}

void ResourcePool::check_invariants() const {
  for (const Resource& resource : resources_) {
    HQ_ASSERT(resource.free <= resource.size);
    if (resource.sum) continue;
    HQ_ASSERT(std::accumulate(resource.free_of.begin(), resource.free_of.end(), uint64_t{0}) ==
              resource.free.scaled);
    std::vector<int> listed(resource.labels.size());
    for (uint32_t g = 0; g < resource.groups.size(); ++g) {
      for (uint32_t index : resource.groups[g].whole) {
        HQ_ASSERT(resource.free_of[index] == Amount::kScale && resource.group_of[index] == g);
        ++listed[index];
      }
      for (uint32_t index : resource.groups[g].partial) {
        HQ_ASSERT(resource.free_of[index] > 0 && resource.free_of[index] < Amount::kScale);
        HQ_ASSERT(resource.group_of[index] == g);
        ++listed[index];
      }
    }
    for (size_t index = 0; index < listed.size(); ++index) {
      HQ_ASSERT(listed[index] == (resource.free_of[index] > 0 ? 1 : 0));
    }
  }
}

}  // namespace hq
