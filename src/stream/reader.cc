#include "hq/stream/reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "hq/base/crc32c.h"
#include "stream/block.h"
#include "stream/file_bytes.h"
#include "stream/window.h"

namespace hq {

namespace {

// A file may list an attempt several times, each time with more.
void keep_latest(std::vector<IndexEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const IndexEntry& a, const IndexEntry& b) {
    return a.key != b.key ? a.key < b.key : a.last > b.last;
  });
  const auto same = [](const IndexEntry& a, const IndexEntry& b) { return a.key == b.key; };
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
}

bool matches(const StreamKey& key, JobId job, std::optional<TaskId> task) {
  return key.job == job && (!task || key.task == *task);
}

// The records of a decompressed block.
void visit_block(BytesView raw, const OutputFileHeader& file,
                 const std::function<void(const RecordHeader&, BytesView)>& visit) {
  for (uint64_t inner = 0; inner < raw.size();) {
    const auto record = read_record_header(raw.substr(inner), file.salt, inner);
    if (!record || record->length > raw.size() - inner - kRecordHeaderBytes) return;
    visit(*record, raw.substr(inner + kRecordHeaderBytes, record->length));
    inner += kRecordHeaderBytes + record->length;
  }
}

}  // namespace

std::string Damage::text() const {
  std::string what = fmt::format("bytes {} to {} ", offset, offset + bytes - 1);
  what += tail ? "are the beginning of something that was not written to its end" : "are damaged";
  if (!record || record->kind != RecordKind::kData) return what;
  return what + fmt::format(" ({} bytes of {} of task {}.{})", record->length,
                            record->channel == OutputChannel::kStdout ? "stdout" : "stderr",
                            record->key.job.value, record->key.task.value);
}

Result<std::optional<OutputFileReader>> OutputFileReader::open(const std::string& path) {
  OutputFileReader file;
  file.path_ = path;
  file.fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file.fd_.valid() || ::fstat(file.fd_.get(), &info) != 0) return os_error(errno);
  file.size_ = uint64_t(std::max<off_t>(info.st_size, 0));
  Window window(file.fd_.get(), file.size_);
  const auto header = read_file_header(window.view(0, kOutputFileHeaderBytes));
  if (!header) return std::optional<OutputFileReader>();
  file.header_ = *header;
  file.load_index();
  return std::optional<OutputFileReader>(std::move(file));
}

std::optional<RecordHeader> OutputFileReader::header_at(uint64_t at) const {
  char bytes[kRecordHeaderBytes];
  if (at + sizeof bytes > size_ || !read_fully(fd_.get(), bytes, sizeof bytes, at)) return std::nullopt;
  return read_record_header({bytes, sizeof bytes}, header_.salt, at);
}

std::optional<Bytes> OutputFileReader::checked_payload(const RecordHeader& record, uint64_t at) const {
  if (record.length > size_ - at - kRecordHeaderBytes) return std::nullopt;
  Bytes payload(record.length, '\0');
  if (!read_fully(fd_.get(), payload.data(), payload.size(), at + kRecordHeaderBytes)) return std::nullopt;
  if (crc32c(payload) != record.payload_check) return std::nullopt;
  return payload;
}

std::optional<Bytes> OutputFileReader::payload(const RecordHeader& record, uint64_t at) const {
  const auto there = header_at(at);
  if (!there) return std::nullopt;
  auto bytes = checked_payload(*there, at);
  if (!bytes || there->kind != RecordKind::kBlock) return bytes;
  const auto raw = decompress_block(*bytes);
  if (!raw) return std::nullopt;
  bool found = false;
  Bytes content;
  visit_block(*raw, header_, [&](const RecordHeader& inner, BytesView inside) {
    const bool same = inner.key == record.key && inner.channel == record.channel;
    if (!same || inner.position != record.position || inner.length != record.length) return;
    content = inside;
    found = true;
  });
  if (!found) return std::nullopt;
  return content;
}

// Without an index everything is found by going through the file, so nothing that is wrong with it is fatal.
void OutputFileReader::load_index() {
  if (size_ < kOutputFileHeaderBytes + kRecordHeaderBytes) return;
  const auto trailer = header_at(size_ - kRecordHeaderBytes);
  if (!trailer || trailer->kind != RecordKind::kTrailer) return;
  const auto root = header_at(trailer->position);
  if (!root || root->kind != RecordKind::kRoot) return;
  const auto places = checked_payload(*root, trailer->position);
  if (!places || places->size() % kSegmentPlaceBytes != 0) return;
  for (size_t i = 0; i < places->size(); i += kSegmentPlaceBytes) {
    segments_.push_back(read_segment_place(places->data() + i));
  }
  finished_ = true;
}

Result<std::vector<Damage>> OutputFileReader::visit(Payloads payloads, const Visit& visit) const {
  std::vector<Damage> damages;
  Window window(fd_.get(), size_);
  uint64_t at = kOutputFileHeaderBytes;
  while (at < size_) {
    const auto record = read_record_header(window.view(at, kRecordHeaderBytes), header_.salt, at);
    if (!record) {
      const uint64_t next = window.find_record(at + 1, header_.salt);
      // What can be no more than a part of a header is one that is being written.
      damages.push_back({at, next - at, std::nullopt, next == size_ && size_ - at < kRecordHeaderBytes});
      at = next;
      continue;
    }
    const uint64_t end = at + kRecordHeaderBytes + record->length;
    if (end > size_) {
      damages.push_back({at, size_ - at, record, true});
      break;
    }
    const bool block = record->kind == RecordKind::kBlock;
    if (block || (record->kind == RecordKind::kData && payloads == Payloads::kRead)) {
      const BytesView payload = window.view(at + kRecordHeaderBytes, record->length);
      std::optional<Bytes> raw;
      if (payload.size() == record->length && crc32c(payload) == record->payload_check) {
        if (block) raw = decompress_block(payload);
        if (!block) visit(*record, at, payload);
        if (raw) visit_block(*raw, header_, [&](auto& inner, BytesView bytes) { visit(inner, at, bytes); });
      } else {
        damages.push_back({at, end - at, record, false});
      }
    } else if (record->kind == RecordKind::kData) {
      visit(*record, at, {});
    }
    at = end;
  }
  if (window.failed() != 0) return os_error(window.failed());
  return damages;
}

Result<std::vector<IndexEntry>> OutputFileReader::collect() const {
  std::map<StreamKey, IndexEntry> entries;
  auto damages = visit(Payloads::kSkip, [&](const RecordHeader& record, uint64_t at, BytesView) {
    extend(entries[record.key], record, at);
  });
  if (!damages) return damages.error();
  std::vector<IndexEntry> all;
  all.reserve(entries.size());
  for (const auto& [key, entry] : entries) all.push_back(entry);
  return all;
}

Result<std::vector<IndexEntry>> OutputFileReader::attempts() const {
  if (!finished_) return collect();
  std::vector<IndexEntry> all;
  for (const SegmentPlace& place : segments_) {
    const auto record = header_at(place.offset);
    std::optional<Bytes> entries;
    if (record && record->kind == RecordKind::kSegment) entries = checked_payload(*record, place.offset);
    if (!entries) return collect();
    for (size_t i = 0; i + kIndexEntryBytes <= entries->size(); i += kIndexEntryBytes) {
      all.push_back(read_index_entry(entries->data() + i));
    }
  }
  keep_latest(all);
  return all;
}

// Looks at a few entries of the segment only. False if something is not as it should be.
bool OutputFileReader::search_segment(const SegmentPlace& place, JobId job, std::optional<TaskId> task,
                                      std::vector<IndexEntry>& found) const {
  const auto record = header_at(place.offset);
  if (!record || record->kind != RecordKind::kSegment) return false;
  const uint64_t begin = place.offset + kRecordHeaderBytes;
  const uint64_t count = record->length / kIndexEntryBytes;
  bool fine = true;
  auto entry_at = [&](uint64_t i) {
    char bytes[kIndexEntryBytes] = {};
    fine = fine && read_fully(fd_.get(), bytes, sizeof bytes, begin + i * kIndexEntryBytes);
    return read_index_entry(bytes);
  };
  const StreamKey from{job, task.value_or(TaskId(0)), InstanceId(0)};
  uint64_t low = 0;
  uint64_t high = count;
  while (fine && low < high) {
    const uint64_t middle = (low + high) / 2;
    if (entry_at(middle).key < from) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (!task) {  // many follow: all at once
    const auto entries = checked_payload(*record, place.offset);
    if (!entries) return false;
    for (uint64_t i = low; i < count; ++i) {
      const IndexEntry entry = read_index_entry(entries->data() + i * kIndexEntryBytes);
      if (!matches(entry.key, job, task)) break;
      found.push_back(entry);
    }
    return true;
  }
  for (uint64_t i = low; fine && i < count; ++i) {
    const IndexEntry entry = entry_at(i);
    if (!matches(entry.key, job, task)) break;
    found.push_back(entry);
  }
  return fine;
}

Result<std::vector<IndexEntry>> OutputFileReader::find(JobId job, std::optional<TaskId> task) const {
  std::vector<IndexEntry> found;
  bool fine = finished_;
  const StreamKey from{job, task.value_or(TaskId(0)), InstanceId(0)};
  const StreamKey to{job, task.value_or(TaskId(UINT32_MAX)), InstanceId(UINT32_MAX)};
  for (const SegmentPlace& place : segments_) {
    if (!fine || place.last < from || to < place.first) continue;
    fine = search_segment(place, job, task, found);
  }
  // An entry is taken for true only if its record is there.
  for (const IndexEntry& entry : found) {
    if (!fine || !task) break;
    const auto record = header_at(entry.last);
    fine = record && (record->key == entry.key || record->kind == RecordKind::kBlock);
  }
  if (fine) {
    keep_latest(found);
    return found;
  }
  auto all = attempts();
  if (!all) return all.error();
  std::erase_if(*all, [&](const IndexEntry& entry) { return !matches(entry.key, job, task); });
  return all;
}

// Where the records of an attempt are, the last one first, back to the one with `position`. False when one of
// them can't be read.
bool OutputFileReader::follow_chain(const IndexEntry& entry, OutputChannel channel, uint64_t position,
                                    std::vector<uint64_t>& places) const {
  for (uint64_t at = entry.last; at != 0;) {
    const auto record = header_at(at);
    if (!record) return false;
    places.push_back(at);
    uint64_t previous = record->previous;
    if (record->kind == RecordKind::kBlock) {
      const auto payload = checked_payload(*record, at);
      const auto raw = payload ? decompress_block(*payload) : std::nullopt;
      if (!raw) return false;
      std::optional<uint64_t> first;
      visit_block(*raw, header_, [&](const RecordHeader& inner, BytesView) {
        if (inner.key == entry.key && !first) first = inner.previous;
      });
      if (!first) return false;
      previous = *first;
    } else if (record->key != entry.key) {
      return false;
    }
    if (previous >= at) return false;
    const bool reached = record->kind == RecordKind::kData && record->channel == channel &&
                         record->position <= position && position > 0;
    if (reached) return true;
    at = previous;
  }
  return true;
}

void OutputFileReader::read_place(const IndexEntry& entry, uint64_t at, OutputChannel channel,
                                  uint64_t position, const Sink& sink, std::vector<Damage>& damages) const {
  auto give = [&](const RecordHeader& record, BytesView bytes) {
    if (record.key != entry.key || record.channel != channel) return;
    if (record.position + record.length <= position) return;
    if (record.position < position) bytes.remove_prefix(position - record.position);
    sink(bytes);
  };
  const auto record = header_at(at);
  if (!record) return;
  if (record->kind == RecordKind::kData && record->channel != channel) return;
  if (record->kind == RecordKind::kData && record->position + record->length <= position) return;
  const auto payload = checked_payload(*record, at);
  if (!payload) {
    damages.push_back({at, kRecordHeaderBytes + record->length, record, false});
    return;
  }
  if (record->kind == RecordKind::kData) return give(*record, *payload);
  if (const auto raw = decompress_block(*payload)) visit_block(*raw, header_, give);
}

Result<std::vector<Damage>> OutputFileReader::read(const IndexEntry& entry, OutputChannel channel,
                                                   const Sink& sink, uint64_t position, uint64_t most) const {
  std::vector<Damage> damages;
  if (entry.length[size_t(channel)] <= position) return damages;
  std::vector<uint64_t> places;
  if (!follow_chain(entry, channel, position, places)) {
    // Some record is damaged: the others are found by going through the file.
    places.clear();
    auto seen = visit(Payloads::kSkip, [&](const RecordHeader& record, uint64_t at, BytesView) {
      if (record.key == entry.key && (places.empty() || places.back() != at)) places.push_back(at);
    });
    if (!seen) return seen.error();
    damages = *std::move(seen);
    std::erase_if(damages, [&](const Damage& d) {  // that of others is not ours to tell
      return d.record && d.record->kind == RecordKind::kData && d.record->key != entry.key;
    });
    std::reverse(places.begin(), places.end());
  }
  uint64_t given = 0;
  const auto count = [&](BytesView bytes) {
    given += bytes.size();
    sink(bytes);
  };
  for (auto at = places.rbegin(); at != places.rend() && given < most; ++at) {
    read_place(entry, *at, channel, position, count, damages);
  }
  return damages;
}

Result<Recovered> recover_output_file(const OutputFileReader& file) {
  Recovered recovered;
  recovered.header = file.header();
  recovered.size = file.size();
  if (file.has_index()) {  // it came to rest: nothing at its end can be broken
    auto attempts = file.attempts();
    if (!attempts) return attempts.error();
    recovered.attempts = *std::move(attempts);
    return recovered;
  }
  std::map<StreamKey, IndexEntry> entries;
  auto damages = file.visit(
      OutputFileReader::Payloads::kRead,
      [&](const RecordHeader& record, uint64_t at, BytesView) { extend(entries[record.key], record, at); });
  if (!damages) return damages.error();
  recovered.damages = *std::move(damages);
  // Whatever is broken at the very end goes; what is behind damage in the middle stays.
  if (!recovered.damages.empty()) {
    const Damage& last = recovered.damages.back();
    if (last.offset + last.bytes == recovered.size) recovered.size = last.offset;
  }
  for (const auto& [key, entry] : entries) recovered.attempts.push_back(entry);
  return recovered;
}

}  // namespace hq
