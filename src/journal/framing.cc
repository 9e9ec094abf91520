#include "journal/framing.h"

#include <algorithm>
#include <cstring>

#include "hq/base/assert.h"
#include "hq/base/crc32c.h"

namespace hq {

namespace {

constexpr size_t kHeadBytes = 7;  // checksum 4, length 2, type 1
enum FragmentType : uint8_t { kFull = 1, kFirst, kMiddle, kFinal, kHeaderFull };

uint32_t checksum(uint64_t offset, uint8_t type, BytesView bytes) {
  char place[9];
  std::memcpy(place, &offset, 8);
  place[8] = char(type);
  return crc32c(bytes, crc32c({place, sizeof place}));
}

bool all_zero(BytesView bytes) {
  return bytes.find_first_not_of('\0') == BytesView::npos;
}

}  // namespace

void put_frame(Bytes& out, uint64_t offset, FrameKind kind, BytesView record) {
  HQ_ASSERT(!record.empty());
  bool first = true;
  while (!record.empty()) {
    uint64_t at = offset + out.size();
    const uint64_t room = kBlockBytes - at % kBlockBytes;
    if (room <= kHeadBytes) {  // not even one byte would fit
      out.append(room, '\0');
      at += room;
    }
    const BytesView piece = record.substr(0, kBlockBytes - at % kBlockBytes - kHeadBytes);
    record.remove_prefix(piece.size());
    uint8_t type = record.empty() ? (first ? kFull : kFinal) : (first ? kFirst : kMiddle);
    if (kind == FrameKind::kHeader) {
      HQ_ASSERT(type == kFull);
      type = kHeaderFull;
    }
    char head[kHeadBytes];
    const uint32_t sum = checksum(at, type, piece);
    const auto length = uint16_t(piece.size());
    std::memcpy(head, &sum, 4);
    std::memcpy(head + 4, &length, 2);
    head[6] = char(type);
    out.append(head, kHeadBytes).append(piece);
    first = false;
  }
}

std::optional<FrameReader::Fragment> FrameReader::fragment_at(size_t at) const {
  if (block_.size() - at <= kHeadBytes) return std::nullopt;
  uint32_t sum = 0;
  uint16_t length = 0;
  std::memcpy(&sum, block_.data() + at, 4);
  std::memcpy(&length, block_.data() + at + 4, 2);
  const auto type = uint8_t(block_[at + 6]);
  if (type < kFull || type > kHeaderFull || length == 0) return std::nullopt;
  if (length > block_.size() - at - kHeadBytes) return std::nullopt;
  const BytesView bytes = BytesView(block_).substr(at + kHeadBytes, length);
  if (checksum(block_offset_ + at, type, bytes) != sum) return std::nullopt;
  return Fragment{type, bytes};
}

// Goes to the next block; false at the end of the file.
bool FrameReader::load_block() {
  if (started_) block_offset_ += kBlockBytes;
  at_ = 0;
  if (block_offset_ >= file_size_) return false;
  block_.resize(std::min(kBlockBytes, file_size_ - block_offset_));
  auto got = read_(block_offset_, block_.data(), block_.size());
  const size_t size = got ? *got : 0;
  if (size < block_.size()) {
    drop_partial("a record breaks off");
    note_bad(block_offset_ + size, block_.size() - size,
             "cannot be read: " + (got ? "the file became shorter" : got.error().message));
    block_.resize(size);
  }
  if (!started_ && block_offset_ == 0) {
    if (block_.starts_with(kMagic)) {
      end_ = kMagic.size();
    } else if (!block_.empty()) {
      note_bad(0, std::min(kMagic.size(), block_.size()), "is not the beginning of a journal");
    }
    at_ = std::min(kMagic.size(), block_.size());
  }
  started_ = true;
  return true;
}

void FrameReader::note_bad(uint64_t offset, uint64_t size, const std::string& cause) {
  if (size == 0) return;
  if (!pending_.empty() && pending_.back().offset + pending_.back().size >= offset) {
    pending_.back().size = std::max(pending_.back().size, offset + size - pending_.back().offset);
    return;
  }
  pending_.push_back({offset, size, cause});
}

void FrameReader::drop_partial(const char* cause) {
  if (!partial_) return;
  // All from its beginning to here: whatever was bad in between belongs to it.
  const uint64_t begin = *partial_;
  const uint64_t end = block_offset_ + at_;
  partial_.reset();
  while (!pending_.empty() && pending_.back().offset >= begin) {
    pending_.pop_back();
  }
  note_bad(begin, end - begin, cause);
}

// Nothing good is at at_: goes to the next good fragment of the block, or to its end.
void FrameReader::skip_bad() {
  const size_t begin = at_;
  const BytesView rest = BytesView(block_).substr(begin);
  if (all_zero(rest)) {
    at_ = block_.size();
    if (rest.size() <= kHeadBytes && block_.size() == kBlockBytes) return;  // as the writer leaves it
    if (partial_) drop_partial("a record breaks off");
    note_bad(block_offset_ + begin, rest.size(), "zeros instead of records");
    return;
  }
  drop_partial("a record breaks off");
  do {
    ++at_;
  } while (at_ < block_.size() && !fragment_at(at_));
  note_bad(block_offset_ + begin, at_ - begin, "bytes with a wrong checksum");
}

FrameReader::Frame FrameReader::whole(FrameKind kind, uint64_t offset, BytesView bytes) {
  damage_.insert(damage_.end(), pending_.begin(), pending_.end());
  pending_.clear();
  end_ = block_offset_ + at_;
  return {kind, offset, bytes};
}

std::optional<FrameReader::Frame> FrameReader::take(const Fragment& fragment, uint64_t offset) {
  const bool continues = fragment.type == kMiddle || fragment.type == kFinal;
  if (!continues) drop_partial("a record breaks off");
  at_ += kHeadBytes + fragment.bytes.size();
  if (continues && !partial_) {
    note_bad(offset, block_offset_ + at_ - offset, "the beginning of this record is missing");
    return std::nullopt;
  }
  switch (fragment.type) {
    case kFirst:
      partial_ = offset;
      record_ = fragment.bytes;
      return std::nullopt;
    case kMiddle:
      record_ += fragment.bytes;
      return std::nullopt;
    case kFinal: {
      record_ += fragment.bytes;
      const uint64_t begin = *partial_;
      partial_.reset();
      return whole(FrameKind::kRecord, begin, record_);
    }
    case kHeaderFull:
      return whole(FrameKind::kHeader, offset, fragment.bytes);
    default:
      return whole(FrameKind::kRecord, offset, fragment.bytes);
  }
}

// Reads the last block again, from behind the last whole record.
bool FrameReader::go_on(uint64_t file_size) {
  if (file_size <= file_size_ || end_ < kMagic.size()) return false;
  file_size_ = file_size;
  partial_.reset();
  pending_.clear();
  block_offset_ = end_ / kBlockBytes * kBlockBytes;
  block_.resize(std::min(kBlockBytes, file_size_ - block_offset_));
  auto got = read_(block_offset_, block_.data(), block_.size());
  block_.resize(got ? *got : 0);
  at_ = std::min<size_t>(end_ % kBlockBytes, block_.size());
  return true;
}

std::optional<FrameReader::Frame> FrameReader::next() & {
  for (;;) {
    if (at_ >= block_.size() && !load_block()) break;
    while (at_ < block_.size()) {
      const auto fragment = fragment_at(at_);
      if (!fragment) {
        skip_bad();
      } else if (auto frame = take(*fragment, block_offset_ + at_)) {
        return frame;
      }
    }
  }
  block_.clear();
  torn_ = partial_.has_value();
  for (const BadBytes& bad : pending_) torn_ = torn_ || bad.cause != "zeros instead of records";
  return std::nullopt;
}

}  // namespace hq
