#include "journal/event_codec.h"

#include <array>
#include <deque>
#include <map>
#include <utility>

#include "hq/base/assert.h"
#include "journal/columns.h"
#include "journal/event_columns.h"

namespace hq {

namespace {

uint64_t kind_number(const Event& event) {
  return std::visit([](const auto& e) { return kKindNumber<std::remove_cvref_t<decltype(e)>>; }, event);
}

// The section of one kind, from all its events in the list.
template <class E>
Bytes encode_section(std::span<const NumberedRecord> records) {
  std::vector<const E*> events;
  Times times;
  for (const NumberedRecord& item : records) {
    const E* event = std::get_if<E>(&item.record.event);
    if (event == nullptr) continue;
    events.push_back(event);
    times.push_back(item.record.time);
  }
  if (events.empty()) return {};
  SectionWriter writer;
  columns(writer, events, times);
  return writer.take();
}

// One event as it comes out of its section, in the order of the list.
struct Slot {
  uint64_t kind;
  NumberedRecord item;
  bool known = false;
};

template <class E>
bool decode_section(BytesView section, std::vector<Slot*>& slots) {
  std::vector<E*> events;
  Times times;
  for (Slot* slot : slots) {
    events.push_back(&slot->item.record.event.template emplace<E>());
    times.push_back(slot->item.record.time);
    slot->known = true;
  }
  SectionReader reader(section);
  columns(reader, events, times);
  return reader.ok();
}

using EncodeSection = Bytes (*)(std::span<const NumberedRecord>);
using DecodeSection = bool (*)(BytesView, std::vector<Slot*>&);

struct Kind {
  uint64_t number;
  EncodeSection encode;
  DecodeSection decode;
};

template <size_t... I>
constexpr auto make_kinds(std::index_sequence<I...>) {
  return std::array<Kind, sizeof...(I)>{Kind{kKindNumber<std::variant_alternative_t<I, Event>>,
                                             encode_section<std::variant_alternative_t<I, Event>>,
                                             decode_section<std::variant_alternative_t<I, Event>>}...};
}
constexpr auto kKinds = make_kinds(std::make_index_sequence<std::variant_size_v<Event>>());

constexpr bool numbers_are_unique() {
  for (size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i].number == 0) return false;
    for (size_t k = 0; k < i; ++k) {
      if (kKinds[k].number == kKinds[i].number) return false;
    }
  }
  return true;
}
static_assert(numbers_are_unique());

const Kind* find_kind(uint64_t number) {
  for (const Kind& kind : kKinds) {
    if (kind.number == number) return &kind;
  }
  return nullptr;
}

Error nonsense() {
  return Error("The record is not in the form of a journal's records");
}

}  // namespace

Bytes encode_records(std::span<const NumberedRecord> records) {
  HQ_ASSERT(!records.empty());
  std::vector<uint64_t> kinds, numbers, times;
  for (const NumberedRecord& item : records) {
    HQ_ASSERT(numbers.empty() || item.number > numbers.back());
    kinds.push_back(kind_number(item.record.event));
    numbers.push_back(item.number);
    times.push_back(fold_sign(item.record.time.ns));
  }
  Bytes out;
  put_varint(out, records.size());
  put_ints(out, kinds);
  put_ints(out, numbers);
  put_ints(out, times);
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  for (uint64_t number : kinds) {
    const Bytes section = find_kind(number)->encode(records);
    put_varint(out, section.size());
    out += section;
  }
  return out;
}

Result<NumberSpan> numbers_of(BytesView bytes) {
  ByteReader in(bytes);
  const uint64_t count = in.varint();
  if (count == 0 || count > kMaxTableRows) return nonsense();
  std::vector<uint64_t> kinds, numbers;
  get_ints(in, count, kinds);
  get_ints(in, count, numbers);
  if (!in.ok()) return nonsense();
  return NumberSpan{numbers.front(), numbers.back()};
}

Result<DecodedRecords> decode_records(BytesView bytes) {
  ByteReader in(bytes);
  const uint64_t count = in.varint();
  if (count == 0 || count > kMaxTableRows) return nonsense();
  std::vector<uint64_t> kinds, numbers, times;
  get_ints(in, count, kinds);
  get_ints(in, count, numbers);
  get_ints(in, count, times);
  if (!in.ok()) return nonsense();

  std::deque<Slot> slots;  // stays where it is while pointers to it are held
  std::map<uint64_t, std::vector<Slot*>> by_kind;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0 && numbers[i] <= numbers[i - 1]) return nonsense();
    slots.push_back({kinds[i], {numbers[i], {WallTime{unfold_sign(times[i])}, Event{}}}});
    by_kind[kinds[i]].push_back(&slots.back());
  }
  for (auto& [number, members] : by_kind) {
    const BytesView section = in.bytes(in.varint());
    if (!in.ok()) return nonsense();
    const Kind* kind = find_kind(number);
    if (kind != nullptr && !kind->decode(section, members)) return nonsense();
  }
  DecodedRecords out;
  out.last_number = numbers.back();
  for (Slot& slot : slots) {
    if (slot.known) {
      out.records.push_back(std::move(slot.item));
    } else {
      ++out.unknown;
    }
  }
  return out;
}

}  // namespace hq
