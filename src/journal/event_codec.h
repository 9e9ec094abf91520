// Events to bytes and back (docs/journal.md, Records). What is encoded together shares its columns, so large
// lists are several times smaller than single events.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/result.h"
#include "hq/core/event.h"

namespace hq {

// An event and its number: 1, 2, ... over the whole life of a journal, restarts included.
struct NumberedRecord {
  uint64_t number = 0;
  Record record;
};

struct DecodedRecords {
  std::vector<NumberedRecord> records;  // numbers ascending
  uint64_t unknown = 0;                 // events of kinds that only a newer program knows: left out
  uint64_t last_number = 0;             // of all, those included
};

// REQUIRES: not empty, numbers ascending.
[[nodiscard]] Bytes encode_records(std::span<const NumberedRecord> records);
// Any bytes may come; nonsense is an error.
[[nodiscard]] Result<DecodedRecords> decode_records(BytesView bytes);
// The numbers of the first and the last event, for a fraction of the work.
struct NumberSpan {
  uint64_t first = 0;
  uint64_t last = 0;
};
[[nodiscard]] Result<NumberSpan> numbers_of(BytesView bytes);

}  // namespace hq
