#include "stream/window.h"

#include <algorithm>
#include <cerrno>

#include "hq/stream/format.h"
#include "stream/file_bytes.h"

namespace hq {

namespace {

constexpr size_t kLeastAhead = 4096;
constexpr size_t kMostAhead = 1024 * 1024;
constexpr char kMarkerByte = char(0xe7);

}  // namespace

BytesView Window::view(uint64_t offset, size_t length) {
  if (offset >= size_) return {};
  length = size_t(std::min<uint64_t>(length, size_ - offset));
  const uint64_t end = begin_ + buffer_.size();
  if (offset < begin_ || offset + length > end) {
    const bool goes_on = offset >= begin_ && offset <= end;
    ahead_ = goes_on ? std::min(2 * ahead_, kMostAhead) : kLeastAhead;
    const auto wanted = size_t(std::min<uint64_t>(std::max(length, ahead_), size_ - offset));
    buffer_.resize(wanted);
    const ssize_t got = read_at(fd_, buffer_.data(), wanted, offset);
    if (got < 0) failed_ = errno;
    buffer_.resize(size_t(std::max<ssize_t>(got, 0)));
    begin_ = offset;
  }
  const BytesView all = buffer_;
  return offset - begin_ < all.size() ? all.substr(offset - begin_, length) : BytesView();
}

uint64_t Window::find_record(uint64_t offset, uint64_t salt) {
  while (offset + kRecordHeaderBytes <= size_) {
    BytesView bytes = view(offset, kMostAhead);
    if (bytes.size() < kRecordHeaderBytes) return size_;
    // The marker is the fifth byte of a record.
    for (size_t marker = bytes.find(kMarkerByte, 4);
         marker != BytesView::npos && marker - 4 + kRecordHeaderBytes <= bytes.size();
         marker = bytes.find(kMarkerByte, marker + 1)) {
      if (read_record_header(bytes.substr(marker - 4), salt, offset + marker - 4)) return offset + marker - 4;
    }
    offset += bytes.size() - kRecordHeaderBytes + 1;
  }
  return size_;
}

}  // namespace hq
