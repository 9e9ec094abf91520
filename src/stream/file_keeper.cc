#include "stream/file_keeper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "hq/base/result.h"
#include "stream/file_bytes.h"

namespace hq {

namespace {

constexpr uint64_t kWorthAnIndex = 1024;  // records; fewer are gone through as fast
constexpr size_t kBuffer = 512 * 1024;    // is written when so much has come, at the latest

}  // namespace

FileKeeper::FileKeeper(OutputPlace place, int zstd_level)
    : place_(std::move(place)), zstd_level_(zstd_level) {}

std::span<char> FileKeeper::room(size_t bytes) {
  return {writer_->room(bytes), bytes};
}

void FileKeeper::put(const StreamWriter::Chunk& chunk, size_t length) {
  writer_->put(chunk, length);
}

uint64_t FileKeeper::length(const StreamKey& key, OutputChannel channel) const {
  return writer_->length(key, channel);
}

bool FileKeeper::full() const {
  return writer_ && writer_->pending_bytes() >= kBuffer;
}

std::optional<Keeper::Failure> FileKeeper::open() {
  if (fd_.valid() && (writer_->has_open() || writer_->pending_bytes() > 0)) return std::nullopt;
  struct stat info {};
  // A file that was deleted takes no more: what went there would be lost without a word.
  if (fd_.valid() && ::fstat(fd_.get(), &info) == 0 && info.st_nlink > 0) return std::nullopt;
  fd_.reset();
  std::error_code error;
  std::filesystem::create_directories(place_.directory, error);
  if (error) {
    return Failure{
        {},
        true,
        "Error: Cannot create stream directory `" + place_.directory + "`: " + os_error_text(error.value())};
  }
  path_ = place_.directory + "/" + random_.alphanumeric(12) + std::string(kOutputFileSuffix);
  fd_ = UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd_.valid()) {
    return Failure{{}, true, "Streaming: Cannot create stream file `" + path_ + "`: " + os_error_text(errno)};
  }
  OutputFileHeader header{place_.server_uid, 0, place_.worker, clock_.now().wall, random_.next()};
  writer_ = std::make_unique<StreamWriter>(std::move(header), zstd_level_);
  return std::nullopt;
}

// A file that could not be cut to what is whole is left as it is; the next task begins another one.
Keeper::Failure FileKeeper::give_up_file(std::string why) {
  Failure failure;
  failure.lost = writer_->on_lost();
  failure.why = std::move(why);
  if (::ftruncate(fd_.get(), off_t(writer_->offset())) != 0) {
    fd_.reset();
    failure.all = true;
  }
  return failure;
}

std::optional<Keeper::Failure> FileKeeper::flush() {
  if (!writer_ || writer_->pending_bytes() == 0) return std::nullopt;
  const int error = write_fully(fd_.get(), writer_->pending(), writer_->offset());
  if (error != 0) {
    return give_up_file("Streaming: Cannot write stream file `" + path_ + "`: " + os_error_text(error));
  }
  writer_->on_written();
  return std::nullopt;
}

// Without its index the file is complete too, so a disk without room for it is no failure of any task.
void FileKeeper::rest(bool last) {
  if (!writer_ || !fd_.valid() || !writer_->wants_index(last ? 1 : kWorthAnIndex)) return;
  writer_->put_index();
  (void)flush();
}

}  // namespace hq
