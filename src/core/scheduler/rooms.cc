#include "core/scheduler/rooms.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/scheduler/left.h"
#include "core/scheduler/scheduler_limits.h"

namespace hq {

bool Rooms::open(const PlanInput& input, uint64_t most_work) {
  const auto& alive = input.state.alive_workers();
  if (!last_opened_) {
    most_rooms_ = alive.size();
    rooms_.reserve(most_rooms_);
    ids_.reserve(most_rooms_);
    seen_changes_ = input.state.recent_workers().count();
    stale_.assign((most_rooms_ + kBlock - 1) / kBlock, false);
    add_columns(input.state.classes().resource_count());
  }
  auto next = last_opened_ ? alive.upper_bound(*last_opened_) : alive.begin();
  for (; next != alive.end() && rooms_.size() < most_rooms_; ++next) {
    if (work >= most_work) return false;
    work += kOpenWork;
    last_opened_ = next->first;
    if (!input.closed.contains(next->first)) add_room(input, *next->second);
  }
  std::sort(backlogs_.begin(), backlogs_.end(), std::greater<>());
  stale_.resize((rooms_.size() + kBlock - 1) / kBlock);
  return true;
}

void Rooms::add_room(const PlanInput& input, const WorkerState& worker) {
  const size_t i = rooms_.size();
  Room& room = rooms_.emplace_back();
  room.worker = &worker;
  ids_.push_back(worker.id);
  read_room(input, room);
  for (const WorkerState::BacklogOf& of : worker.backlog_of) {
    if (of.count > 0) backlogs_.emplace_back(of.priority, i);
  }
  read_free(i);
  read_total(i);
  for (size_t r = 0; r < free_.size(); ++r) available_[r][i] = free_[r][i];
  note_change(i);
}

void Rooms::read_room(const PlanInput& input, Room& room) {
  const WorkerState& worker = *room.worker;
  room.occupied = worker.gang.has_value();
  room.backlog = worker.backlog;
  room.least_use = worker.config->min_utilization > 0;
  any_least_use_ = any_least_use_ || room.least_use;
  if (const auto life = remaining_life(worker, input.now)) room.life = *life;
  limit_watched(input, room);
}

void Rooms::limit_watched(const PlanInput& input, Room& room) {
  if (input.at_most == nullptr) return;
  const auto found = input.at_most->find(room.worker->id);
  if (found != input.at_most->end()) room.most = std::min(room.most, found->second);
}

void Rooms::add_columns(size_t resources) {
  const size_t padded = stale_.size() * kBlock;
  for (auto* columns : {&free_, &available_, &total_}) {
    while (columns->size() < resources) columns->emplace_back(padded);
  }
  while (cap_.size() < resources) cap_.emplace_back(padded, kNoCap);
  while (bound_.size() < resources) bound_.emplace_back(stale_.size() * kParts);
  while (without_.size() < resources) without_.emplace_back(stale_.size(), ~uint64_t{0});
  sums_.resize(resources);
}

void Rooms::read_total(size_t i) {
  for (ResourceIndex r = 0; r < total_.size(); ++r) {
    const auto total = int64_t(rooms_[i].worker->total.at(r).scaled);
    total_[r][i] = total;
    sums_[r] += double(total);
    if (total > 0) without_[r][i / kBlock] &= ~(uint64_t{1} << (i % kBlock));
  }
}

void Rooms::read_free(size_t i) {
  const bool none = rooms_[i].closed || rooms_[i].gang || rooms_[i].occupied || rooms_[i].most == 0;
  for (ResourceIndex r = 0; r < free_.size(); ++r)
    free_[r][i] = none ? 0 : int64_t(rooms_[i].worker->free.at(r).scaled);
}

void Rooms::next_step(const PlanInput& input) {
  add_columns(input.state.classes().resource_count());  // names may have come since
  for (size_t i : used_) rooms_[i].changed = true;
  work += used_.size();
  used_.clear();
  const auto change = [&](WorkerId worker) {
    if (const auto i = find(worker)) rooms_[*i].changed = true;
  };
  const RecentWorkers& recent = input.state.recent_workers();
  if (!recent.for_each_since(seen_changes_, change)) {
    for (Room& room : rooms_) room.changed = true;
  }
  seen_changes_ = recent.count();
  for (WorkerId worker : input.closed) change(worker);
  if (input.at_most == nullptr) return;
  for (const auto& [worker, most] : *input.at_most) change(worker);
}

void Rooms::read_again(const PlanInput& input, size_t i) {
  Room& room = rooms_[i];
  work += kRoomWork;
  room.changed = false;
  room.holders_known = false;
  if (!room.worker->alive() || input.closed.contains(room.worker->id)) {
    room.closed = true;
    room.shunned = false;
  }
  // What was placed where a least utilisation holds is not in the state before the end of the pass.
  if (room.least_use && !room.closed) return;
  room.occupied = room.worker->gang.has_value();
  room.backlog = room.worker->backlog;
  limit_watched(input, room);  // may have begun since
  read_free(i);
  read_available(input.state, i);
}

void Rooms::set_priority(const State& state, int32_t priority) {
  priority_ = priority;
  for (; next_backlog_ < backlogs_.size() && backlogs_[next_backlog_].first >= priority; ++next_backlog_) {
    const size_t i = backlogs_[next_backlog_].second;
    if (rooms_[i].closed) continue;
    read_available(state, i);
    work += kRoomWork;
  }
}

void Rooms::read_available(const State& state, size_t i) {
  left_.resize(free_.size());
  for (size_t r = 0; r < free_.size(); ++r) left_[r] = free_[r][i];
  if (!rooms_[i].closed && priority_) subtract_backlog(state, *rooms_[i].worker, *priority_, left_);
  bool raised = false;
  for (size_t r = 0; r < free_.size(); ++r) {
    const int64_t now = std::min(left_[r], cap_[r][i]);
    raised = raised || now > available_[r][i];
    available_[r][i] = now;
  }
  if (raised) {
    ++raises_;
    found_none_.clear();
  }
  note_change(i);
}

// --- looking ----------------------------------------------------------------------------------------------

// Floats, since comparing these is cheap; they are a little more than the amount and less than what is asked.
constexpr float kRound = 1.0F / (1 << 22);

void Rooms::find_bounds(size_t block) {
  for (size_t r = 0; r < available_.size(); ++r) {
    const int64_t* column = available_[r].data() + block * kBlock;
    for (size_t part = 0; part < kParts; ++part) {
      int64_t most = 0;
      for (size_t k = 0; k < kPart; ++k) most = std::max(most, column[part * kPart + k]);
      bound_[r][block * kParts + part] = float(most) * (1 + kRound);
    }
  }
  stale_[block] = false;
  work += kScanWork;
}

namespace {

// A bit for each of N values. Written so that compilers make vector instructions of it: the sign of a
// difference as a byte, then eight bytes into the eight bits at the top of a product, the first one lowest
// (little endian).
template <size_t N>
uint64_t less_than(const int64_t* column, int64_t asked) {
  static_assert(std::endian::native == std::endian::little && N % 8 == 0 && N <= 64);
  constexpr uint64_t kGather = 0x0102040810204080;
  uint8_t less[N];
  for (size_t k = 0; k < N; ++k) less[k] = uint8_t((uint64_t(column[k]) - uint64_t(asked)) >> 63);
  uint64_t out = 0;
  for (size_t k = 0; k < N; k += 8) {
    uint64_t eight = 0;
    std::memcpy(&eight, less + k, sizeof eight);
    out |= (eight * kGather >> 56) << k;
  }
  return out;
}

// So many of those that found nothing are remembered.
constexpr size_t kMostNone = 32;

int64_t least_of(const VariantNeed::Item& item) {
  return item.all ? int64_t{1} : int64_t(item.amount.scaled);
}

bool asks_for(const VariantNeed& need, const std::vector<std::pair<ResourceIndex, int64_t>>& least) {
  return std::all_of(least.begin(), least.end(), [&](const auto& one) {
    return std::any_of(need.items.begin(), need.items.end(), [&](const VariantNeed::Item& item) {
      return item.resource == one.first && least_of(item) >= one.second;
    });
  });
}

}  // namespace

void Rooms::look_for(const VariantNeed& need, Look& look) {
  look.need = &need;
  look.none = std::any_of(found_none_.begin(), found_none_.end(),
                          [&](const Least& none) { return asks_for(need, none); });
  work += 1 + found_none_.size() / 4;
  if (look.none) return look.parts.assign(blocks() * kParts, 0);
  for (size_t block : stale_blocks_) find_bounds(block);
  stale_blocks_.clear();
  look.parts.assign(blocks() * kParts, 0xffff);
  for (const VariantNeed::Item& item : need.items) {
    const float asked = float(least_of(item)) * (1 - kRound);
    const float* bound = bound_[item.resource].data();
    uint16_t* parts = look.parts.data();
    for (size_t p = 0; p < look.parts.size(); ++p) parts[p] &= bound[p] < asked ? 0 : 0xffff;
    work += blocks() / 2 * kBlockWork;
  }
}

uint64_t Rooms::fitting(size_t block, const Look& look) {
  uint64_t bits = 0;
  std::memcpy(&bits, look.parts.data() + block * kParts, sizeof bits);
  if (bits == 0) return 0;
  const size_t rooms = rooms_.size() - block * kBlock;
  if (rooms < kBlock) bits &= (uint64_t{1} << rooms) - 1;
  work += kBlockWork;
  for (const VariantNeed::Item& item : look.need->items) {
    const int64_t* column = available_[item.resource].data() + block * kBlock;
    const int64_t asked = least_of(item);
    for (size_t first = 0; first < kBlock; first += kPart) {
      if ((bits >> first & 0xffff) == 0) continue;
      bits &= ~(less_than<kPart>(column + first, asked) << first);
      work += kScanWork / kParts;
    }
    if (bits == 0) return 0;
  }
  return bits;
}

void Rooms::note_none(const VariantNeed& need, uint64_t raises) {
  if (raises != raises_) return;
  if (found_none_.size() == kMostNone) found_none_.erase(found_none_.begin());
  Least& least = found_none_.emplace_back();
  for (const VariantNeed::Item& item : need.items) least.emplace_back(item.resource, least_of(item));
}

uint64_t Rooms::lacking(size_t block, const std::vector<std::pair<ResourceIndex, int64_t>>& least) const {
  uint64_t bits = 0;
  for (const auto& [r, asked] : least)
    bits |= less_than<kBlock>(available_[r].data() + block * kBlock, asked);
  return bits;
}

uint64_t Rooms::without(size_t block, const std::vector<ResourceIndex>& resources) const {
  uint64_t bits = ~uint64_t{0};
  for (ResourceIndex r : resources) bits &= without_[r][block];
  return bits;
}

uint64_t Rooms::fit(size_t i, const VariantNeed& need) const {
  uint64_t fits = std::numeric_limits<uint32_t>::max();
  for (const VariantNeed::Item& item : need.items) {
    const int64_t have = available_[item.resource][i];
    if (item.all) {
      fits = have > 0 && have == total(i, item.resource) ? std::min<uint64_t>(fits, 1) : 0;
    } else {
      const auto each = int64_t(item.amount.scaled);
      fits = have < each ? 0 : std::min(fits, uint64_t(have / each));
    }
    if (fits == 0) return 0;
  }
  return fits;
}

uint64_t Rooms::fit_total(size_t i, const VariantNeed& need) const {
  if (rooms_[i].closed || !lives_for(i, need)) return 0;
  uint64_t fits = std::numeric_limits<uint32_t>::max();
  for (const VariantNeed::Item& item : need.items) {
    const int64_t have = total_[item.resource][i];
    if (item.all) {
      fits = have > 0 ? std::min<uint64_t>(fits, 1) : 0;
    } else {
      const auto each = int64_t(item.amount.scaled);
      fits = have < each ? 0 : std::min(fits, uint64_t(have / each));
    }
    if (fits == 0) return 0;
  }
  return fits;
}

void Rooms::take(size_t i, const VariantNeed& need, uint64_t n) {
  rooms_[i].fresh = false;
  if (rooms_[i].most != UINT64_MAX) rooms_[i].most -= std::min(rooms_[i].most, n);
  for (const VariantNeed::Item& item : need.items) {
    const int64_t each = item.all ? total(i, item.resource) : int64_t(item.amount.scaled);
    const int64_t amount = each * int64_t(n);
    free_[item.resource][i] -= amount;
    available_[item.resource][i] -= amount;
    if (cap_[item.resource][i] != kNoCap) cap_[item.resource][i] -= amount;
  }
  note_change(i);
}

void Rooms::set_cap(size_t i, ResourceIndex r, int64_t most) {
  most = std::max<int64_t>(most, 0);
  if (most >= cap_[r][i]) return;
  cap_[r][i] = most;
  if (available_[r][i] <= most) return;
  available_[r][i] = most;
  note_change(i);
}

void Rooms::empty(size_t i) {
  for (size_t r = 0; r < free_.size(); ++r) available_[r][i] = free_[r][i] = 0;
  note_change(i);
}

uint64_t Rooms::in_use(const WorkerState& worker, ClassId klass) {
  uint64_t n = 0;
  for (const WorkerState::InUse& held : worker.in_use) {
    if (held.klass == klass) n += held.count;
  }
  return n;
}

bool Rooms::may_be_held(size_t i, int32_t priority, uint64_t classes) {
  Room& room = rooms_[i];
  if (!room.holders_known) {
    room.holders_known = true;
    room.lowest_held = INT32_MAX;
    room.classes_held = 0;
    for (const WorkerState::InUse& held : room.worker->in_use) {
      room.lowest_held = std::min(room.lowest_held, held.priority);
      room.classes_held |= bit_of(held.klass);
    }
    work += kRoomWork;
  }
  return room.lowest_held < priority || (room.classes_held & classes) != 0;
}

std::optional<size_t> Rooms::find(WorkerId worker) const {
  const auto it = std::lower_bound(ids_.begin(), ids_.end(), worker);
  if (it == ids_.end() || *it != worker) return std::nullopt;
  return size_t(it - ids_.begin());
}

}  // namespace hq
