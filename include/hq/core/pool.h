// Equal values kept once, for as long as somebody uses them: very many jobs differ in little.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

namespace hq {

template <class T>
class Pool {
  struct Kept;
  using Values = std::unordered_multimap<size_t, Kept>;  // by hash; its nodes stay where they are
  struct Kept {
    T value;
    Values* home;
    uint64_t uses = 0;
  };

 public:
  // A share of a value; null when made without one. One pointer, so that a hundred thousand cost little.
  class Use {
   public:
    Use() = default;
    Use(Use&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Use& operator=(Use&& other) noexcept {
      std::swap(node_, other.node_);
      return *this;
    }
    ~Use() {
      if (node_ != nullptr && --node_->second.uses == 0) drop(node_);
    }
    explicit operator bool() const { return node_ != nullptr; }
    const T& operator*() const { return node_->second.value; }
    const T* operator->() const { return &node_->second.value; }

   private:
    friend class Pool;
    explicit Use(typename Values::value_type* node) : node_(node) { ++node_->second.uses; }
    typename Values::value_type* node_ = nullptr;
  };

  Pool() : values_(std::make_unique<Values>()) {}
  // Whoever assigns gets what was here: it may be used for a moment longer.
  Pool(Pool&& other) noexcept : Pool() { values_.swap(other.values_); }
  Pool& operator=(Pool&& other) noexcept {
    values_.swap(other.values_);
    return *this;
  }

  // REQUIRES: equal values have equal hashes, and the pool outlives the use.
  [[nodiscard]] Use use(T value, size_t hash) {
    const auto [first, last] = values_->equal_range(hash);
    for (auto it = first; it != last; ++it) {
      if (it->second.value == value) return Use(&*it);
    }
    return Use(&*values_->emplace(hash, Kept{std::move(value), values_.get()}));
  }
  [[nodiscard]] size_t size() const { return values_->size(); }

 private:
  static void drop(const typename Values::value_type* node) {
    Values& values = *node->second.home;
    auto it = values.equal_range(node->first).first;
    while (&*it != node) ++it;
    values.erase(it);
  }
  std::unique_ptr<Values> values_;
};

}  // namespace hq
