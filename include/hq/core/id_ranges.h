// Sets of task ids as ranges. Arrays stay ranges from the command line to the worker and back: nothing here
// costs time or memory per id.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hq {

// first, first+step, ..., last (last is a member). step >= 1; a single id has step 1.
struct IdRange {
  uint32_t first = 0;
  uint32_t last = 0;
  uint32_t step = 1;

  [[nodiscard]] uint64_t count() const { return (uint64_t{last} - first) / step + 1; }
  [[nodiscard]] bool contains(uint32_t id) const {
    return id >= first && id <= last && (id - first) % step == 0;
  }
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

// What the user wrote: ranges in written order, not overlapping. `bound` keeps the upper bound as written
// ("0-9:2" stays so although 8 is the last member).
struct IdArray {
  struct Part {
    IdRange range;
    uint32_t bound = 0;
    friend bool operator==(const Part&, const Part&) = default;
  };
  std::vector<Part> parts;

  IdArray() = default;
  static IdArray single(uint32_t id);
  // first..first+count-1; empty when count is 0. REQUIRES: fits 32 bits.
  static IdArray consecutive(uint32_t first, uint32_t count);

  [[nodiscard]] uint64_t count() const;
  [[nodiscard]] bool empty() const { return parts.empty(); }
  [[nodiscard]] bool contains(uint32_t id) const;
  // Largest member. REQUIRES: not empty.
  [[nodiscard]] uint32_t max() const;
  // "1-3,7,10-20:5": parts as written, "1-1" as "1".
  [[nodiscard]] std::string text() const;
  // All members in written order. Only where ids are really listed (printing, small selections).
  [[nodiscard]] std::vector<uint32_t> expand() const;
  friend bool operator==(const IdArray&, const IdArray&) = default;
};

// A mutable set of ids, kept as disjoint stepped ranges; gives ids back in ascending order.
class IdSet {
 public:
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] uint64_t count() const { return count_; }
  // REQUIRES: no member of `range` is in the set yet. Consecutive neighbours are merged.
  void add(IdRange range);
  void add(uint32_t id) { add(IdRange{id, id, 1}); }
  void add(const IdArray& array) {
    for (const auto& part : array.parts) add(part.range);
  }
  // Takes out the lowest members, at most `n`; nothing when empty. The answer has no id twice, ascending.
  std::vector<IdRange> take_lowest(uint64_t n);
  // Takes out the highest members, at most `n` (what is started last); ascending.
  std::vector<IdRange> take_highest(uint64_t n);
  // The lowest members, at most `n`, without taking them out.
  [[nodiscard]] std::vector<IdRange> lowest(uint64_t n) const;
  // True if it was a member.
  bool remove(uint32_t id);
  // REQUIRES: all of `range` are members. Cheap when they are the lowest ones.
  void remove(IdRange range);
  [[nodiscard]] bool contains(uint32_t id) const;
  [[nodiscard]] std::optional<uint32_t> lowest() const;
  void clear() {
    ranges_.clear();
    count_ = 0;
  }
  [[nodiscard]] std::vector<IdRange> ranges() const;

 private:
  struct Tail {
    uint32_t last;
    uint32_t step;
  };
  std::map<uint32_t, Tail> ranges_;  // by first member
  uint64_t count_ = 0;
  uint32_t widest_step_ = 1;  // > 1 once a stepped range came in: then ranges may interleave
};

// Maximal runs of consecutive ids, as the text of result sets is written ("1-3,5"). REQUIRES: ascending.
[[nodiscard]] IdArray runs_of(const std::vector<uint32_t>& ascending_ids);

}  // namespace hq
