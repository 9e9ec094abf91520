// A std::map that costs one pointer while nothing was ever put into it: a hundred thousand jobs have no use
// for most of theirs.
#pragma once

#include <cstddef>
#include <map>
#include <memory>

namespace hq {

template <class Key, class Value>
class LazyMap {
 public:
  using Map = std::map<Key, Value>;
  using iterator = typename Map::iterator;
  using const_iterator = typename Map::const_iterator;

  [[nodiscard]] bool empty() const { return !map_ || map_->empty(); }
  [[nodiscard]] size_t size() const { return map_ ? map_->size() : 0; }
  [[nodiscard]] bool contains(const Key& key) const { return map_ && map_->contains(key); }
  // Iterators of different maps that were never filled compare equal.
  iterator begin() { return mutable_map().begin(); }
  iterator end() { return mutable_map().end(); }
  iterator find(const Key& key) { return mutable_map().find(key); }
  const_iterator begin() const { return map().begin(); }
  const_iterator end() const { return map().end(); }
  const_iterator find(const Key& key) const { return map().find(key); }
  [[nodiscard]] const Value& at(const Key& key) const { return map_->at(key); }
  Value& operator[](const Key& key) {
    if (!map_) map_ = std::make_unique<Map>();
    return (*map_)[key];
  }
  size_t erase(const Key& key) { return map_ ? map_->erase(key) : 0; }
  void erase(iterator it) { map_->erase(it); }
  void clear() { map_.reset(); }

 private:
  // Never filled: what is asked of it while `map_` is missing finds nothing and changes nothing.
  static Map& nothing() {
    static Map empty;
    return empty;
  }
  Map& mutable_map() { return map_ ? *map_ : nothing(); }
  [[nodiscard]] const Map& map() const { return map_ ? *map_ : nothing(); }
  std::unique_ptr<Map> map_;
};

}  // namespace hq
