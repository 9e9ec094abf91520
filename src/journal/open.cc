#include "journal/open.h"

#include <algorithm>

#include "journal/read.h"

namespace hq {

namespace {

constexpr Duration kLazy = 100ms;

// A file that holds no event yet. Replaces an empty one.
Result<WritePosition> begin_file(Disk& disk, const FileJournalOptions& options, uint64_t sequence,
                                 uint64_t next_number) {
  const std::string path = file_path(options.path, sequence);
  auto file = disk.create(path);
  if (!file) return file.error();
  FileHeader header;
  header.epoch = options.epoch;
  header.first_number = next_number;
  header.server_uid = options.server_uid;
  if (options.wall_clock) header.created = options.wall_clock();
  const Bytes bytes = beginning_of(header);
  if (auto written = (*file)->write_at(0, bytes); !written) return written.error();
  if (auto synced = (*file)->sync(); !synced) return synced.error();
  if (auto synced = disk.sync_directory(split_path(path).directory); !synced) return synced.error();
  WritePosition out;
  out.file = std::move(*file);
  out.sequence = sequence;
  out.offset = bytes.size();
  out.next_number = next_number;
  return out;
}

// Behind the last whole record of the newest file.
Result<WritePosition> go_on(Disk& disk, const FileJournalOptions& options, const ReadJournal& read) {
  const ReadFile& last = read.files.back();
  const uint64_t next = read.report.last_number + 1;
  uint64_t earlier = 0;
  for (const ReadFile& file : read.files) earlier += file.end;
  if (last.end < kMagic.size()) {  // not even its beginning was written
    auto fresh = begin_file(disk, options, last.name.sequence + 1, next);
    if (fresh) fresh->earlier_bytes = earlier;
    return fresh;
  }
  WritePosition out;
  auto file = disk.open(last.name.path, true);
  if (!file) return file.error();
  if (last.size > last.end) {
    if (auto cut = (*file)->truncate(last.end); !cut) return cut.error();
  }
  out.file = std::move(*file);
  out.sequence = last.name.sequence;
  out.offset = last.end;
  out.next_number = next;
  out.earlier_bytes = earlier - last.end;
  return out;
}

// Nothing there, or an empty file (made by `touch`, or by a crash just after creation).
Result<bool> is_fresh(Disk& disk, const std::string& path) {
  auto names = journal_files(disk, path);
  if (!names) return names.error();
  if (names->empty()) return true;
  if (names->size() > 1) return false;
  auto file = disk.open(names->front().path, false);
  if (!file) return file.error();
  auto size = (*file)->size();
  if (!size) return size.error();
  if (*size > 0) return false;
  if (auto removed = disk.remove(path); !removed) return removed.error();
  return true;
}

}  // namespace

Result<OpenedJournal> open_journal_on(Disk& disk, FileJournalOptions options) {
  OpenedJournal out;
  auto fresh = is_fresh(disk, options.path);
  if (!fresh) return fresh.error();
  out.fresh = *fresh;
  WritePosition position;
  if (out.fresh) {
    auto begun = begin_file(disk, options, 1, 1);
    if (!begun) return begun.error();
    position = std::move(*begun);
  } else {
    auto replayed = replay_files(disk, options.path);
    if (!replayed) return replayed.error();
    out.restored = std::move(replayed->state);
    out.report = std::move(replayed->read.report);
    options.epoch = std::max(options.epoch, out.report.epoch);
    if (!out.report.server_uid.empty()) options.server_uid = out.report.server_uid;
    auto behind = go_on(disk, options, replayed->read);
    if (!behind) return behind.error();
    position = std::move(*behind);
  }
  auto journal = std::make_unique<FileJournal>(disk, std::move(options), std::move(position));
  out.wake_fd = journal->wake_fd();
  out.journal = std::move(journal);
  return out;
}

Result<OpenedJournal> open_journal(const std::string& path, const JournalOptions& options) {
  FileJournalOptions writer;
  writer.path = path;
  writer.outlives_server = options.outlives_server;
  writer.server_uid = options.server_uid;
  writer.lazy = std::min(options.flush_period, kLazy);
  writer.wall_clock = [] { return SystemClock().now().wall; };
  return open_journal_on(system_disk(), std::move(writer));
}

}  // namespace hq
