#include "hq/core/id_ranges.h"

#include <algorithm>

#include "hq/base/assert.h"

namespace hq {

IdArray IdArray::single(uint32_t id) {
  IdArray out;
  out.parts.push_back({{id, id, 1}, id});
  return out;
}

IdArray IdArray::consecutive(uint32_t first, uint32_t count) {
  IdArray out;
  if (count > 0) {
    const uint32_t last = first + (count - 1);
    HQ_ASSERT(last >= first);
    out.parts.push_back({{first, last, 1}, last});
  }
  return out;
}

uint64_t IdArray::count() const {
  uint64_t n = 0;
  for (const auto& part : parts) n += part.range.count();
  return n;
}

bool IdArray::contains(uint32_t id) const {
  return std::any_of(parts.begin(), parts.end(), [&](const Part& p) { return p.range.contains(id); });
}

uint32_t IdArray::max() const {
  HQ_ASSERT(!parts.empty());
  uint32_t best = 0;
  for (const auto& part : parts) best = std::max(best, part.range.last);
  return best;
}

std::string IdArray::text() const {
  std::string out;
  for (const auto& part : parts) {
    if (!out.empty()) out += ',';
    out += std::to_string(part.range.first);
    if (part.bound != part.range.first) {
      out += "-" + std::to_string(part.bound);
      if (part.range.step != 1) out += ":" + std::to_string(part.range.step);
    }
  }
  return out;
}

std::vector<uint32_t> IdArray::expand() const {
  std::vector<uint32_t> out;
  out.reserve(count());
  for (const auto& part : parts) {
    for (uint64_t id = part.range.first; id <= part.range.last; id += part.range.step)
      out.push_back(uint32_t(id));
  }
  return out;
}

namespace {

// Cuts off the lowest n members of `range`; REQUIRES 0 < n < range.count().
IdRange cut_front(IdRange& range, uint64_t n) {
  IdRange front{range.first, uint32_t(range.first + (n - 1) * range.step), range.step};
  range.first = uint32_t(range.first + n * range.step);
  if (range.first == range.last) range.step = 1;
  if (front.first == front.last) front.step = 1;
  return front;
}

// Appends `range` to ascending ranges, joining it to the last one where it simply continues it.
void append(std::vector<IdRange>& out, IdRange range) {
  if (!out.empty() && out.back().step == 1 && range.step == 1 &&
      uint64_t{out.back().last} + 1 == range.first) {
    out.back().last = range.last;
  } else {
    out.push_back(range);
  }
}

}  // namespace

void IdSet::add(IdRange range) {
  HQ_ASSERT(range.first <= range.last && range.step > 0 && (range.last - range.first) % range.step == 0);
  count_ += range.count();
  if (range.first == range.last) range.step = 1;
  widest_step_ = std::max(widest_step_, range.step);
  if (range.step == 1) {
    auto next = ranges_.upper_bound(range.first);
    if (next != ranges_.end() && next->second.step == 1 && next->first == uint64_t{range.last} + 1) {
      range.last = next->second.last;
      next = ranges_.erase(next);
    }
    if (next != ranges_.begin()) {
      auto prev = std::prev(next);
      if (prev->second.step == 1 && uint64_t{prev->second.last} + 1 == range.first) {
        prev->second.last = range.last;
        return;
      }
    }
  }
  const bool fresh = ranges_.emplace(range.first, Tail{range.last, range.step}).second;
  HQ_ASSERT(fresh);
}

std::vector<IdRange> IdSet::take_lowest(uint64_t n) {
  std::vector<IdRange> out;
  while (n > 0 && !ranges_.empty()) {
    auto it = ranges_.begin();
    IdRange range{it->first, it->second.last, it->second.step};
    uint64_t take = std::min(n, range.count());
    auto next = std::next(it);
    if (next != ranges_.end() && next->first < range.last) {  // interleaved: only up to the other's first
      take = std::min(take, (uint64_t{next->first} - range.first + range.step - 1) / range.step);
    }
    ranges_.erase(it);
    if (take < range.count()) {
      append(out, cut_front(range, take));
      const bool fresh = ranges_.emplace(range.first, Tail{range.last, range.step}).second;
      HQ_ASSERT(fresh);
    } else {
      append(out, range);
    }
    n -= take;
    count_ -= take;
  }
  return out;
}

std::vector<IdRange> IdSet::take_highest(uint64_t n) {
  // Ranges are kept by first member; with interleaved ranges "highest" is only approximate, which is fine:
  // the caller wants tasks that would start last anyway.
  std::vector<IdRange> out;
  while (n > 0 && !ranges_.empty()) {
    auto it = std::prev(ranges_.end());
    IdRange range{it->first, it->second.last, it->second.step};
    ranges_.erase(it);
    const uint64_t take = std::min(n, range.count());
    if (take < range.count()) {
      IdRange keep = cut_front(range, range.count() - take);
      const bool fresh = ranges_.emplace(keep.first, Tail{keep.last, keep.step}).second;
      HQ_ASSERT(fresh);
    }
    out.push_back(range);
    n -= take;
    count_ -= take;
  }
  std::sort(out.begin(), out.end(), [](const IdRange& a, const IdRange& b) { return a.first < b.first; });
  return out;
}

bool IdSet::contains(uint32_t id) const {
  for (auto it = ranges_.upper_bound(id); it != ranges_.begin();) {
    --it;
    if (IdRange{it->first, it->second.last, it->second.step}.contains(id)) return true;
    if (widest_step_ == 1) return false;
  }
  return false;
}

bool IdSet::remove(uint32_t id) {
  for (auto it = ranges_.upper_bound(id); it != ranges_.begin();) {
    --it;
    const IdRange range{it->first, it->second.last, it->second.step};
    if (range.contains(id)) {
      ranges_.erase(it);
      --count_;
      if (range.first < id) {
        const uint32_t last = id - range.step;
        ranges_.emplace(range.first, Tail{last, last == range.first ? 1 : range.step});
      }
      if (id < range.last) {
        const uint32_t first = id + range.step;
        ranges_.emplace(first, Tail{range.last, first == range.last ? 1 : range.step});
      }
      return true;
    }
    if (widest_step_ == 1) return false;
  }
  return false;
}

std::vector<IdRange> IdSet::lowest(uint64_t n) const {
  std::vector<IdRange> out;
  if (widest_step_ > 1) {  // may interleave: let a copy of the few ranges concerned do it
    IdSet copy = *this;
    return copy.take_lowest(n);
  }
  for (auto it = ranges_.begin(); it != ranges_.end() && n > 0; ++it) {
    IdRange range{it->first, it->second.last, 1};
    const uint64_t take = std::min(n, range.count());
    range.last = uint32_t(range.first + (take - 1));
    append(out, range);
    n -= take;
  }
  return out;
}

void IdSet::remove(IdRange range) {
  auto it = ranges_.upper_bound(range.first);
  HQ_ASSERT(it != ranges_.begin());
  --it;
  IdRange held{it->first, it->second.last, it->second.step};
  if (held.first == range.first && range.last <= held.last &&
      (held.step == range.step || range.count() == 1)) {
    ranges_.erase(it);
    count_ -= range.count();
    if (range.last < held.last) {
      const uint32_t first = range.last + held.step;
      ranges_.emplace(first, Tail{held.last, first == held.last ? 1 : held.step});
    }
    return;
  }
  for (uint64_t id = range.first; id <= range.last; id += range.step) {
    const bool was_member = remove(uint32_t(id));
    HQ_ASSERT(was_member);
  }
}

std::optional<uint32_t> IdSet::lowest() const {
  if (ranges_.empty()) return std::nullopt;
  return ranges_.begin()->first;
}

std::vector<IdRange> IdSet::ranges() const {
  std::vector<IdRange> out;
  for (const auto& [first, tail] : ranges_) out.push_back({first, tail.last, tail.step});
  return out;
}

IdArray runs_of(const std::vector<uint32_t>& ascending_ids) {
  IdArray out;
  for (uint32_t id : ascending_ids) {
    if (!out.parts.empty() && uint64_t{out.parts.back().range.last} + 1 == id) {
      out.parts.back().range.last = id;
      out.parts.back().bound = id;
    } else {
      out.parts.push_back({{id, id, 1}, id});
    }
  }
  return out;
}

}  // namespace hq
