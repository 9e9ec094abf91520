// What is free and taken on one worker. The worker alone gives indices; the server plans amounts only.
//
// What always holds (check_invariants): no index gives more than one unit, no sum more than its size; what a
// claim holds is free for nobody else; a fraction comes from one single index, never from two partly free
// ones. A resource that the worker does not have counts as zero of it.
//
// Coupling: among the choices with as few groups as possible, the one with the greatest sum of weights
// between the groups taken is made; entries with scatter or all take no part.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/core/amount.h"
#include "hq/core/resources.h"

namespace hq {

class ResourcePool;

// A taken piece of one worker's resources. Move-only; gives itself back. The pool must outlive it.
class ResourceClaim {
 public:
  ResourceClaim() = default;
  ResourceClaim(ResourceClaim&& other) noexcept;
  ResourceClaim& operator=(ResourceClaim&& other) noexcept;
  ~ResourceClaim() { give_back(); }

  void give_back();
  [[nodiscard]] bool active() const { return pool_ != nullptr; }
  // Labels of the taken indices, a partly taken one last. Empty for sums and for what was not asked for.
  [[nodiscard]] std::vector<std::string> labels(std::string_view resource) const;
  // Zero for what was not asked for.
  [[nodiscard]] Amount amount(std::string_view resource) const;

 private:
  friend class ResourcePool;
  struct Piece {
    uint32_t index;   // of the resource, counted over all groups
    uint64_t scaled;  // how much of it
  };
  struct Part {
    uint32_t resource;
    Amount amount;
    std::vector<Piece> pieces;  // empty for sums; a fraction is last
  };
  [[nodiscard]] const Part* find(std::string_view resource) const;

  ResourcePool* pool_ = nullptr;
  std::vector<Part> parts_;
};

class ResourcePool {
 public:
  explicit ResourcePool(const ResourceDescriptor& descriptor);
  // Claims point at their pool.
  ResourcePool(const ResourcePool&) = delete;
  ResourcePool& operator=(const ResourcePool&) = delete;

  // Takes all entries of the variant, or nothing at all. REQUIRES: names in it are unique.
  [[nodiscard]] std::optional<ResourceClaim> allocate(const ResourceVariant& variant);
  // True if as much is free as the variant asks for, wherever it lies.
  [[nodiscard]] bool has_amounts(const ResourceVariant& variant) const;
  // True if allocate() would succeed now.
  [[nodiscard]] bool fits(const ResourceVariant& variant) const;
  [[nodiscard]] Amount free(std::string_view resource) const;
  [[nodiscard]] Amount total(std::string_view resource) const;
  void check_invariants() const;

 private:
  friend class ResourceClaim;
  struct Group {
    uint32_t size = 0;
    std::vector<uint32_t> whole;    // indices nothing is taken of; the last is taken next
    std::vector<uint32_t> partial;  // indices some of which is taken, but not all
  };
  struct Resource {
    std::string name;
    bool sum = false;
    Amount size;
    Amount free;
    std::vector<std::string> labels;  // by index
    std::vector<uint32_t> group_of;   // by index
    std::vector<uint64_t> free_of;    // by index, scaled
    std::vector<Group> groups;
  };
  // How one entry is satisfied: whole indices per group, and where its fraction comes from.
  struct Choice {
    std::vector<uint32_t> whole_of_group;
    std::optional<uint32_t> fraction_group;
    bool fraction_breaks_whole = false;
  };

  // Groups that an entry has to keep to, by resource; those without are free to choose.
  using GroupSets = std::map<uint32_t, std::vector<uint32_t>>;
  struct Coupled {
    GroupSets groups;
    uint64_t score = 0;
  };

  [[nodiscard]] const Resource* find(std::string_view name) const;
  // The best coupled choice for the variant, of the pool as it is or as if nothing were taken; empty sets if
  // coupling has no say. Nothing if some entry can't be satisfied.
  [[nodiscard]] std::optional<Coupled> couple(const ResourceVariant& variant, bool empty) const;
  [[nodiscard]] std::optional<GroupSets> groups_for(const ResourceVariant& variant) const;
  [[nodiscard]] uint64_t score_of(const GroupSets& groups) const;
  [[nodiscard]] static std::vector<std::vector<uint32_t>> least_sets(const Resource& resource,
                                                                     const ResourceEntry& entry, bool empty);
  static std::optional<Choice> choose(const Resource& resource, const ResourceEntry& entry,
                                      const std::vector<uint32_t>* within);
  static std::optional<Choice> choose_groups(const Resource& resource, uint64_t whole, uint64_t fraction,
                                             Policy policy, const std::vector<uint32_t>* within);
  static std::optional<Choice> choose_scatter(const Resource& resource, uint64_t whole, uint64_t fraction);
  static bool fits_entry(const Resource* resource, const ResourceEntry& entry);
  static ResourceClaim::Part take(Resource& resource, uint32_t number, const ResourceEntry& entry,
                                  const std::vector<uint32_t>* within);
  void put_back(const ResourceClaim::Part& part);

  std::vector<Resource> resources_;
  std::vector<CouplingWeight> coupling_;
};

}  // namespace hq
