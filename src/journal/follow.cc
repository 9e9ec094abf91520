#include "journal/follow.h"

#include <algorithm>
#include <span>
#include <utility>

#include "journal/event_codec.h"

namespace hq {

Result<void> FollowingReader::open_files() {
  auto names = journal_files(disk_, path_);
  if (!names) return names.error();
  sources_.clear();
  current_ = 0;
  waiting_.reset();
  for (const JournalFileName& name : *names) {
    Source source;
    auto file = disk_.open(name.path, false);
    if (!file) return file.error();
    auto size = (*file)->size();
    if (!size) return size.error();
    source.file = std::move(*file);
    source.frames = std::make_unique<FrameReader>(
        [f = source.file.get()](uint64_t offset, char* to, size_t n) { return f->read_at(offset, to, n); },
        *size);
    sources_.push_back(std::move(source));
  }
  return {};
}

Result<std::optional<Bytes>> FollowingReader::next_record() {
  if (waiting_) return std::exchange(waiting_, std::nullopt);
  while (current_ < sources_.size()) {
    Source& source = sources_[current_];
    while (auto frame = source.frames->next()) {
      if (frame->kind == FrameKind::kRecord) return std::optional(Bytes(frame->bytes));
    }
    if (current_ + 1 < sources_.size()) {
      ++current_;
      continue;
    }
    // The newest file grows.
    auto size = source.file->size();
    if (!size) return size.error();
    if (!source.frames->go_on(*size)) break;
  }
  return std::optional<Bytes>();
}

Result<std::optional<Bytes>> FollowingReader::next() {
  const WriterFacts facts = facts_();
  if (generation_ != facts.generation) {
    if (auto opened = open_files(); !opened) return opened.error();
    generation_ = facts.generation;
  }
  while (told_ < facts.safe_number) {
    auto record = next_record();
    if (!record) return record.error();
    if (!*record) break;
    auto decoded = decode_records(**record);
    if (!decoded || decoded->last_number <= told_) continue;  // damaged, or told before
    if (decoded->last_number > facts.safe_number) {
      waiting_ = std::move(*record);
      break;
    }
    const auto first_new = std::find_if(decoded->records.begin(), decoded->records.end(),
                                        [&](const NumberedRecord& item) { return item.number > told_; });
    const bool all_new = first_new == decoded->records.begin();
    told_ = decoded->last_number;
    if (all_new) return std::move(*record);
    if (first_new == decoded->records.end()) continue;  // all the rest is of kinds we do not know
    return std::optional(encode_records({first_new, decoded->records.end()}));
  }
  return std::optional<Bytes>();
}

}  // namespace hq
