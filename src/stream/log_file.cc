#include "stream/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "hq/stream/batch.h"
#include "hq/stream/reader.h"
#include "stream/file_bytes.h"

namespace hq {

namespace {

std::vector<StreamKey> keys_of(BytesView batch) {
  std::vector<StreamKey> keys;
  (void)visit_batch(batch, [&](const RecordHeader& record, BytesView) { keys.push_back(record.key); });
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

}  // namespace

// What this job has left there. Of others no more than the header is read: they may be large.
std::optional<OutputFileReader> LogFile::earlier_part() const {
  auto file = OutputFileReader::open(place_.path);
  if (!file || !*file) return std::nullopt;
  const OutputFileHeader& header = (*file)->header();
  if (header.owner != place_.owner.value || header.server_uid != place_.server_uid) return std::nullopt;
  return std::move(*file);
}

std::string LogFile::open() {
  if (fd_.valid()) return {};
  std::error_code error;
  const std::string directory = std::filesystem::path(place_.path).parent_path();
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  if (error) {
    return "Error: Cannot create stream directory `" + directory + "`: " + os_error_text(error.value());
  }
  const auto earlier = earlier_part();
  // Anything else is replaced, as any file given for output is; who still writes to it does not write to
  // ours.
  if (!earlier) ::unlink(place_.path.c_str());
  const int flags = O_WRONLY | O_CLOEXEC | (earlier ? 0 : O_CREAT | O_EXCL);
  fd_ = UniqueFd(::open(place_.path.c_str(), flags, 0666));
  if (!fd_.valid()) {
    return "Streaming: Cannot create log file `" + place_.path + "`: " + os_error_text(errno);
  }
  if (!earlier) {
    OutputFileHeader header{place_.server_uid, place_.owner.value, WorkerId(0), clock_.now().wall,
                            random_.next()};
    writer_ = std::make_unique<StreamWriter>(std::move(header));
    return {};
  }
  return go_on_with(*earlier);
}

std::string LogFile::go_on_with(const OutputFileReader& earlier) {
  Result<Recovered> read = recover_output_file(earlier);
  if (!read) {
    fd_.reset();
    return "Streaming: Cannot read log file `" + place_.path + "`: " + read.error().message;
  }
  Recovered& recovered = *read;
  if (::ftruncate(fd_.get(), off_t(recovered.size)) != 0) {
    const int errnum = errno;
    fd_.reset();
    return "Streaming: Cannot write log file `" + place_.path + "`: " + os_error_text(errnum);
  }
  for (const IndexEntry& entry : recovered.attempts) {
    if ((entry.flags & kEndedStdout) != 0 && (entry.flags & kEndedStderr) != 0)
      ended_before_[entry.key] = entry;
  }
  writer_ = std::make_unique<StreamWriter>(recovered.header, recovered.size, std::move(recovered.attempts));
  return {};
}

// A record, or the part of it, that is in the file already is passed over. False if something before it is
// missing: the file was taken away in the middle.
bool LogFile::take(const RecordHeader& record, BytesView payload) {
  if (ended_before_.contains(record.key)) return true;
  const uint64_t length = writer_->length(record.key, record.channel);
  const uint64_t known = length > record.position ? length - record.position : 0;
  if (record.position > length) return false;
  if (known > 0 && known >= payload.size() && record.flags == 0) return true;
  const StreamWriter::Chunk chunk{record.key, record.channel, record.flags, record.time};
  if (known == 0) {
    writer_->put(chunk, payload, record.payload_check);
  } else {
    payload.remove_prefix(size_t(std::min<uint64_t>(known, payload.size())));
    writer_->put(chunk, payload);
  }
  return true;
}

std::string LogFile::flush() {
  lost_.clear();
  const int error = write_fully(fd_.get(), writer_->pending(), writer_->offset());
  if (error == 0) {
    writer_->on_written();
    return {};
  }
  lost_ = writer_->on_lost();
  if (::ftruncate(fd_.get(), off_t(writer_->offset())) != 0)
    fd_.reset();  // looked at anew with the next batch
  return "Streaming: Cannot write log file `" + place_.path + "`: " + os_error_text(error);
}

std::vector<LogBatchDone> LogFile::keep(const std::vector<std::pair<LogBatchId, Bytes>>& batches) {
  std::vector<LogBatchDone> done;
  std::string why = open();
  const bool opened = why.empty();
  for (const auto& [id, records] : batches) {
    done.push_back({id, {}});
    if (!opened) continue;
    const bool intact = visit_batch(records, [&](const RecordHeader& record, BytesView payload) {
      if (take(record, payload)) return;
      done.back().failures.push_back(
          {record.key, "Streaming: log file `" + place_.path + "` has lost what came before"});
    });
    if (intact) continue;
    for (const StreamKey& key : keys_of(records)) {
      done.back().failures.push_back({key, "Streaming: output was damaged on its way to the server"});
    }
  }
  if (opened) why = flush();
  if (why.empty()) return done;
  for (size_t i = 0; i < batches.size(); ++i) {
    for (const StreamKey& key : keys_of(batches[i].second)) {
      const bool lost = !opened || std::binary_search(lost_.begin(), lost_.end(), key);
      if (lost) done[i].failures.push_back({key, why});
    }
  }
  return done;
}

// Without its index the file is complete too, so a disk without room for it is no failure.
void LogFile::put_index() {
  if (!writer_ || !fd_.valid()) return;
  writer_->put_index();
  (void)flush();
}

}  // namespace hq
