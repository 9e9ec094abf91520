// Interning of what recurs: resource names become small indices, distinct requests become request classes.
// Everything in the scheduler counts classes, never tasks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hq/core/ids.h"
#include "hq/core/resources.h"

namespace hq {

// Index of a resource name; dense, from 0.
using ResourceIndex = uint32_t;

// What one variant needs, by resource index.
struct VariantNeed {
  struct Item {
    ResourceIndex resource;
    Amount amount;  // not used when all
    bool all = false;
  };
  std::vector<Item> items;
  Duration min_time{0};
  uint32_t nodes = 0;
  // True if tasks of this variant may wait in a worker's backlog (no strict policy, one node).
  bool may_wait_at_worker = true;
};

class RequestClasses {
 public:
  ClassId intern(const ResourceRequest& request);
  ResourceIndex intern_resource(std::string_view name);
  [[nodiscard]] std::optional<ResourceIndex> find_resource(std::string_view name) const;
  [[nodiscard]] const ResourceRequest& request(ClassId id) const { return *requests_[id.value]; }
  [[nodiscard]] const std::vector<VariantNeed>& needs(ClassId id) const { return needs_[id.value]; }
  [[nodiscard]] size_t count() const { return requests_.size(); }
  [[nodiscard]] size_t resource_count() const { return resource_names_.size(); }
  [[nodiscard]] const std::string& resource_name(ResourceIndex index) const { return resource_names_[index]; }

 private:
  std::map<ResourceRequest, ClassId> ids_;
  std::vector<const ResourceRequest*> requests_;  // keys of ids_ (stable)
  std::vector<std::vector<VariantNeed>> needs_;
  std::map<std::string, ResourceIndex, std::less<>> resource_ids_;
  std::vector<std::string> resource_names_;
};

// A worker's totals or free amounts by resource index; missing = 0. Signed inside: our mirror of a worker may
// run below zero for one report (it started from its backlog what we had not yet seen end); readers see zero
// then.
class AmountVector {
 public:
  [[nodiscard]] Amount at(ResourceIndex i) const {
    return i < values_.size() && values_[i] > 0 ? Amount::from_scaled(uint64_t(values_[i])) : Amount();
  }
  [[nodiscard]] int64_t raw(ResourceIndex i) const { return i < values_.size() ? values_[i] : 0; }
  void add(ResourceIndex i, Amount amount) {
    grow(i);
    values_[i] += int64_t(amount.scaled);
  }
  void subtract(ResourceIndex i, Amount amount) {
    grow(i);
    values_[i] -= int64_t(amount.scaled);
  }
  [[nodiscard]] bool same_as(const AmountVector& other) const {
    const size_t n = values_.size() > other.values_.size() ? values_.size() : other.values_.size();
    for (size_t i = 0; i < n; ++i) {
      if ((i < values_.size() ? values_[i] : 0) != (i < other.values_.size() ? other.values_[i] : 0))
        return false;
    }
    return true;
  }

 private:
  void grow(ResourceIndex i) {
    if (i >= values_.size()) values_.resize(i + 1);
  }
  std::vector<int64_t> values_;
};

}  // namespace hq
