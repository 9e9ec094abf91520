#include <algorithm>

#include "hq/base/assert.h"
#include "hq/journal/journal.h"

namespace hq {

CommitNumber NoJournal::append(std::vector<Record> records) {
  HQ_ASSERT(!records.empty());
  return ++last_;
}

CommitNumber MemoryJournal::append(std::vector<Record> records) {
  HQ_ASSERT(!records.empty());
  commits_.push_back(std::move(records));
  if (confirm_at_once_) committed_ = commits_.size();
  return commits_.size();
}

Result<void> MemoryJournal::make_room(uint64_t) {
  if (refuse) return Error(*refuse);
  return {};
}

JournalStatus MemoryJournal::status() const {
  JournalStatus out;
  out.path = "memory";
  if (refuse) out.trouble = *refuse;
  return out;
}

void MemoryJournal::confirm(uint64_t n) {
  committed_ = std::min<CommitNumber>(committed_ + n, commits_.size());
}

}  // namespace hq
