#include "journal/follow.h"

#include <algorithm>
#include <span>
#include <utility>

#include "journal/event_codec.h"

namespace hq {

namespace {

FrameReader::ReadAt reading(DiskFile& file) {
  return [&file](uint64_t offset, char* to, size_t size) { return file.read_at(offset, to, size); };
}

}  // namespace

// A block before which all has been told: numbers ascend in a file, so it is found by bisection.
uint64_t FollowingReader::where_to_begin(DiskFile& file, uint64_t size) const {
  const auto all_told_before = [&](uint64_t block) {
    FrameReader frames(reading(file), size, block * kBlockBytes);
    while (auto frame = frames.next()) {
      if (frame->kind != FrameKind::kRecord) continue;
      const auto numbers = numbers_of(frame->bytes);
      if (numbers) return numbers->first <= told_;
    }
    return false;
  };
  if (told_ == 0) return 0;
  uint64_t told = 0;
  uint64_t untold = size / kBlockBytes + 1;
  while (told + 1 < untold) {
    const uint64_t middle = told + (untold - told) / 2;
    (all_told_before(middle) ? told : untold) = middle;
  }
  return told * kBlockBytes;
}

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
    source.frames =
        std::make_unique<FrameReader>(reading(*source.file), *size, where_to_begin(*source.file, *size));
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

Result<std::optional<EventsRead>> FollowingReader::next() {
  const WriterFacts facts = facts_();
  if (!generation_ && told_ > facts.safe_number) {
    return Error("there is no event " + std::to_string(told_) + ", the last one is " +
                 std::to_string(facts.safe_number));
  }
  if (generation_ != facts.generation) {
    if (auto opened = open_files(); !opened) return opened.error();
    generation_ = facts.generation;
  }
  while (told_ < facts.safe_number) {
    auto record = next_record();
    if (!record) return record.error();
    if (!*record) break;
    const auto numbers = numbers_of(**record);
    if (!numbers || numbers->last <= told_) continue;  // damaged, or told before
    auto decoded = decode_records(**record);
    if (!decoded) continue;
    if (decoded->last_number > facts.safe_number) {
      waiting_ = std::move(*record);
      break;
    }
    const auto first_new = std::find_if(decoded->records.begin(), decoded->records.end(),
                                        [&](const NumberedRecord& item) { return item.number > told_; });
    const bool all_new = first_new == decoded->records.begin();
    told_ = decoded->last_number;
    if (all_new) return std::optional(EventsRead{std::move(**record), told_});
    if (first_new == decoded->records.end()) continue;  // all the rest is of kinds we do not know
    return std::optional(EventsRead{encode_records({first_new, decoded->records.end()}), told_});
  }
  return std::optional<EventsRead>();
}

}  // namespace hq
