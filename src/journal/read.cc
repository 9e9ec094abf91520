#include "journal/read.h"

#include <algorithm>

#include "journal/event_codec.h"
#include "journal/mend.h"

namespace hq {

namespace {

constexpr size_t kMostListed = 1'000;

// A file while it is being read.
class OpenFile {
 public:
  static Result<OpenFile> open(Disk& disk, const JournalFileName& name) {
    auto file = disk.open(name.path, false);
    if (!file) return file.error();
    auto size = (*file)->size();
    if (!size) return size.error();
    OpenFile out;
    out.name = name;
    out.size = *size;
    out.file = std::move(*file);
    FrameReader frames = out.reader();
    if (auto first = frames.next(); first && first->kind == FrameKind::kHeader)
      out.header = decode_header(first->bytes);
    char magic[kMagic.size()];
    auto got = out.file->read_at(0, magic, sizeof magic);
    out.has_magic = got && BytesView(magic, *got) == kMagic;
    return out;
  }

  [[nodiscard]] FrameReader reader() const {
    return FrameReader(
        [f = file.get()](uint64_t offset, char* to, size_t n) { return f->read_at(offset, to, n); }, size);
  }

  JournalFileName name;
  std::unique_ptr<DiskFile> file;
  uint64_t size = 0;
  bool has_magic = false;
  std::optional<FileHeader> header;
};

class Reading {
 public:
  Reading(std::vector<OpenFile> files, const OnStored& on_record, const ReadLimits& limits)
      : files_(std::move(files)), on_record_(on_record), limits_(limits) {}

  Result<ReadJournal> run() {
    for (size_t i = 0; i < files_.size(); ++i) {
      if (files_[i].header && files_[i].header->version > kFormatVersion) {
        return Error("'" + files_[i].name.path + "' was written by a newer hq (format " +
                     std::to_string(files_[i].header->version) + ", this one reads " +
                     std::to_string(kFormatVersion) + ")");
      }
    }
    for (size_t i = 0; i < files_.size(); ++i) read_file(i);
    if (is_canceled()) return os_error(ECANCELED);
    const OpenFile& first = files_.front();
    if (!found_frames_ && !first.has_magic) {
      return first.size < kMagic.size() ? Error("failed to fill whole buffer")
                                        : Error("Invalid journal format");
    }
    out_.report.last_number = next_ - 1;
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool is_canceled() const { return limits_.canceled != nullptr && *limits_.canceled; }

  [[nodiscard]] bool wants_more() const { return next_ <= limits_.last_number && !is_canceled(); }

  // Events from here on are not looked at, or were written by an owner that had been replaced.
  [[nodiscard]] uint64_t limit_of(size_t index) const {
    uint64_t limit = limits_.last_number == UINT64_MAX ? UINT64_MAX : limits_.last_number + 1;
    const uint64_t epoch = files_[index].header ? files_[index].header->epoch : 0;
    for (size_t later = index + 1; later < files_.size(); ++later) {
      const auto& header = files_[later].header;
      if (header && header->epoch > epoch) limit = std::min(limit, header->first_number);
    }
    return limit;
  }

  void read_file(size_t index) {
    const OpenFile& file = files_[index];
    JournalReport& report = out_.report;
    report.files.push_back(file.name.path);
    report.size_bytes += file.size;
    compacted_until_ = file.header ? file.header->compacted_until : compacted_until_;
    if (file.header) report.epoch = std::max(report.epoch, file.header->epoch);
    if (file.header && !file.header->server_uid.empty()) report.server_uid = file.header->server_uid;
    const uint64_t limit = limit_of(index);

    FrameReader reader = file.reader();
    size_t told = 0;
    while (auto frame = wants_more() ? reader.next() : std::nullopt) {
      found_frames_ = true;
      for (; told < reader.damage().size(); ++told) note_damage(file, reader.damage()[told]);
      if (frame->kind == FrameKind::kHeader) continue;
      auto decoded = decode_records(frame->bytes);
      if (!decoded) {
        report.losses.push_back(
            {file.name.path, frame->offset, frame->bytes.size(), decoded.error().message});
        continue;
      }
      take(std::move(*decoded), limit);
    }
    next_ = std::max(next_, std::min(compacted_until_, limit - 1) + 1);
    if (reader.torn()) {
      report.torn = {file.name.path, reader.end(), file.size - reader.end(), "not written to its end"};
    } else {
      report.torn.reset();  // what was torn in an earlier file was written again
    }
    out_.files.push_back({file.name, file.header.value_or(FileHeader{}), file.size, reader.end()});
  }

  void take(DecodedRecords decoded, uint64_t limit) {
    JournalReport& report = out_.report;
    report.unknown_events += decoded.unknown;
    for (NumberedRecord& item : decoded.records) {
      if (item.number < next_ || item.number >= limit) continue;
      if (decoded.unknown == 0) note_missing(item.number);
      next_ = item.number + 1;
      ++report.events;
      if (const auto* started = std::get_if<ServerStarted>(&item.record.event))
        report.server_uid = started->server_uid;
      on_record_(report, item.number, std::move(item.record));
    }
    next_ = std::max(next_, std::min(decoded.last_number, limit - 1) + 1);
  }

  void note_damage(const OpenFile& file, const BadBytes& d) {
    out_.report.losses.push_back({file.name.path, d.offset, d.size, d.cause});
  }

  void note_missing(uint64_t number) {
    const uint64_t first = std::max(next_, compacted_until_ + 1);
    if (first < number) out_.report.missing.emplace_back(first, number - 1);
  }

  std::vector<OpenFile> files_;
  const OnStored& on_record_;
  const ReadLimits& limits_;
  ReadJournal out_;
  uint64_t next_ = 1;  // number
  uint64_t compacted_until_ = 0;
  bool found_frames_ = false;
};

// Applies events that come out of files.
class Folding {
 public:
  explicit Folding(State& state) : state_(state) {}

  void take(bool after_damage, uint64_t number, Record&& record) {
    const bool rows = std::holds_alternative<TasksStarted>(record.event) ||
                      std::holds_alternative<TasksEnded>(record.event);
    auto why = state_.misfit(record);
    if (const auto* returned = std::get_if<TasksReturned>(&record.event); after_damage && returned != nullptr)
      note_disowned(*returned);
    if (!after_damage || !(why || rows)) return apply(number, record, why);
    const std::vector<Record> instead = mend(state_, record);
    if (instead.size() != 1) ++mended_;
    if (instead.empty()) return apply(number, record, why);
    for (const Record& one : instead) apply(number, one, state_.misfit(one));
  }
  void report_to(JournalReport& report) const {
    report.set_aside = set_aside_;
    report.set_aside_events = events_;
    report.set_aside_rows = rows_;
    report.mended_events = mended_;
    report.disowned = disowned_;
    report.disowned_tasks = disowned_tasks_;
  }

 private:
  void note_disowned(const TasksReturned& event) {
    for (const ReturnedTask& row : event.tasks) {
      const auto found = state_.assigned_row(event.worker, row.task, row.instance);
      if (row.lost != LossReason::kStopped || !found || found->first->gangs.contains(row.task.task)) continue;
      ++disowned_tasks_;
      if (disowned_.size() < kMostListed) disowned_.push_back({row.task, row.instance, event.worker});
    }
  }

  void apply(uint64_t number, const Record& record, const std::optional<std::string>& why) {
    if (!why) {
      rows_ += state_.apply(record).set_aside;
      return;
    }
    ++events_;
    if (set_aside_.size() < kMostListed) set_aside_.push_back({number, kind_name(record.event), *why});
  }

  State& state_;
  std::vector<SetAsideEvent> set_aside_;
  uint64_t events_ = 0;
  uint64_t rows_ = 0;
  uint64_t mended_ = 0;
  std::vector<DisownedTask> disowned_;
  uint64_t disowned_tasks_ = 0;
};

}  // namespace

Result<ReadJournal> read_files(Disk& disk, const std::string& path, const OnStored& on_record,
                               const ReadLimits& limits) {
  auto names = journal_files(disk, path);
  if (!names) return names.error();
  if (names->empty()) return os_error(ENOENT);
  std::vector<OpenFile> files;
  for (const JournalFileName& name : *names) {
    auto file = OpenFile::open(disk, name);
    if (!file) return file.error();
    files.push_back(std::move(*file));
  }
  return Reading(std::move(files), on_record, limits).run();
}

Result<Replayed> replay_files(Disk& disk, const std::string& path, const ReadLimits& limits) {
  Replayed out;
  Folding folding(out.state);
  const auto fold = [&](const JournalReport& so_far, uint64_t number, Record&& record) {
    folding.take(so_far.damaged(), number, std::move(record));
  };
  auto read = read_files(disk, path, fold, limits);
  if (!read) return read.error();
  out.read = std::move(*read);
  folding.report_to(out.read.report);
  return out;
}

Result<JournalReport> read_journal(const std::string& path, const OnRecord& on_record) {
  auto read = read_files(system_disk(), path, [&](const JournalReport&, uint64_t number, Record&& record) {
    on_record(number, std::move(record));
  });
  if (!read) return read.error();
  return std::move(read->report);
}

Result<std::vector<Record>> decode_events(BytesView records) {
  auto decoded = decode_records(records);
  if (!decoded) return decoded.error();
  std::vector<Record> out;
  for (NumberedRecord& item : decoded->records) out.push_back(std::move(item.record));
  return out;
}

Result<ReplayedJournal> replay_journal(const std::string& path) {
  auto replayed = replay_files(system_disk(), path);
  if (!replayed) return replayed.error();
  return ReplayedJournal{std::move(replayed->state), std::move(replayed->read.report)};
}

}  // namespace hq
