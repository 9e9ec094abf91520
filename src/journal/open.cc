#include "journal/open.h"

#include <algorithm>

#include "journal/owner.h"
#include "journal/read.h"

namespace hq {

namespace {

constexpr Duration kLazy = 100ms;
constexpr uint64_t kConvenienceBytes = uint64_t{64} << 20;
constexpr uint64_t kConvenienceReserve = uint64_t{1} << 20;

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
Result<WritePosition> go_on(Disk& disk, const FileJournalOptions& options, const ReadJournal& read,
                            bool new_file) {
  const ReadFile& last = read.files.back();
  const uint64_t next = read.report.last_number + 1;
  uint64_t earlier = 0;
  for (const ReadFile& file : read.files) earlier += file.end;
  // Not even its beginning was written, or somebody else may still be writing there.
  if (last.end < kMagic.size() || new_file) {
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
  return *size == 0;
}

// Of a server that is dead: what it had reserved may be what fills the disk now.
void give_back_reserve(Disk& disk, const std::string& path) {
  auto names = journal_files(disk, path);
  if (!names || names->empty()) return;
  auto file = disk.open(names->back().path, true);
  auto size = file ? (*file)->size() : Result<uint64_t>(file.error());
  if (size) (void)(*file)->truncate(*size);  // if it fails, so does what needs the room
}

}  // namespace

Result<OpenedJournal> open_journal_on(Disk& disk, FileJournalOptions options, const Ownership& ownership) {
  OpenedJournal out;
  auto fresh = is_fresh(disk, options.path);
  if (!fresh) return fresh.error();
  out.fresh = *fresh;
  Replayed replayed;
  if (!out.fresh) {
    auto read = replay_files(disk, options.path);
    if (!read) return read.error();
    replayed = std::move(*read);
    out.report = replayed.read.report;
    out.restored = std::move(replayed.state);
    if (!out.report.server_uid.empty()) options.server_uid = out.report.server_uid;
  }
  const uint64_t known = std::max(ownership.earlier_epoch, out.report.epoch);
  options.epoch = std::max<uint64_t>(known + (ownership.may_have_rival ? 1 : 0), 1);
  if (ownership.begin) {
    if (auto begun = ownership.begin(options.epoch); !begun) return begun.error();
  }
  if (out.fresh) (void)disk.remove(options.path);  // an empty file, or none
  auto position = out.fresh ? begin_file(disk, options, 1, 1)
                            : go_on(disk, options, replayed.read, ownership.may_have_rival);
  if (!position) return position.error();
  auto journal = std::make_unique<FileJournal>(disk, std::move(options), std::move(*position));
  out.wake_fd = journal->wake_fd();
  out.journal = std::move(journal);
  return out;
}

Result<OpenedJournal> open_journal(const std::string& path, const JournalOptions& options) {
  FileJournalOptions writer;
  writer.path = path;
  writer.outlives_server = !options.convenience;
  if (options.convenience) {
    writer.limit_bytes = kConvenienceBytes;
    writer.reserve_bytes = kConvenienceReserve;
  }
  writer.server_uid = options.server_uid;
  writer.lazy = std::min(options.flush_period, kLazy);
  writer.wall_clock = [] { return SystemClock().now().wall; };
  OwnerOptions owner_options;
  owner_options.takeover = options.takeover;
  owner_options.on_wait = options.on_wait;
  auto acquired = JournalOwner::acquire(path, current_process(), std::move(owner_options));
  if (!acquired) return acquired.error();
  const std::shared_ptr<JournalOwner> owner = std::move(*acquired);
  Ownership ownership;
  ownership.earlier_epoch = owner->earlier_epoch();
  ownership.may_have_rival = owner->may_have_rival();
  ownership.begin = [&](uint64_t epoch) {
    auto begun = owner->begin(epoch);
    if (begun || ownership.may_have_rival) return begun;
    give_back_reserve(system_disk(), path);
    return owner->begin(epoch);
  };
  writer.still_owner = [owner] { return owner->still_ours(); };  // lives as long as the journal
  return open_journal_on(system_disk(), std::move(writer), ownership);
}

}  // namespace hq
