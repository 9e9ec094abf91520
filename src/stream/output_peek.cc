#include "hq/stream/output_peek.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hq/base/answer_threads.h"
#include "hq/base/unique_fd.h"
#include "hq/stream/catalog.h"
#include "stream/file_bytes.h"

namespace hq {

namespace {

constexpr size_t kMostThreads = 16;  // as long as some of them hang
constexpr uint32_t kMostBytes = 1024 * 1024;

void choose(const PeekRange& range, Peeked& peeked) {
  peeked.position =
      range.from_end ? peeked.length - std::min<uint64_t>(peeked.length, range.most) : range.position;
}

void peek_file(const std::string& path, const PeekRange& range, Peeked& peeked) {
  // Without waiting: somebody may have put a FIFO there.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    peeked.errnum = errno;
    return;
  }
  if (!S_ISREG(info.st_mode)) {
    peeked.errnum = EINVAL;
    return;
  }
  peeked.length = uint64_t(info.st_size);
  choose(range, peeked);
  peeked.bytes.resize(range.most);
  const ssize_t got = read_at(fd.get(), peeked.bytes.data(), peeked.bytes.size(), peeked.position);
  if (got < 0) peeked.errnum = errno;
  peeked.bytes.resize(size_t(std::max<ssize_t>(got, 0)));
  peeked.length = std::max(peeked.length, peeked.position + peeked.bytes.size());
}

// Reads no more than what is wanted and what it needs to find it.
void peek_stream(const OutputFileReader& file, const IndexEntry& entry, OutputChannel channel,
                 const PeekRange& range, Peeked& peeked) {
  peeked.length = entry.length[size_t(channel)];
  choose(range, peeked);
  auto damages = file.read(
      entry, channel,
      [&](BytesView bytes) {
        peeked.bytes.append(bytes.substr(0, range.most - std::min<size_t>(range.most, peeked.bytes.size())));
      },
      peeked.position, range.most);
  if (!damages || !damages->empty()) peeked.errnum = EIO;
}

int peek_files(std::vector<OutputFileReader>& files, const PeekTarget& target, const PeekRange& range,
               Peeked& peeked) {
  for (const OutputFileReader& file : files) {
    if (file.header().server_uid != target.server_uid) continue;
    if (target.worker.value != 0 && file.header().worker != target.worker) continue;
    auto entries = file.find(target.key.job, target.key.task);
    if (!entries) return EIO;
    for (const IndexEntry& entry : *entries) {
      if (entry.key != target.key) continue;
      peek_stream(file, entry, target.channel, range, peeked);
      return peeked.errnum;
    }
  }
  return 0;  // nothing was written so far
}

int open_target(const PeekTarget& target, std::vector<OutputFileReader>& files) {
  struct stat info {};
  if (::stat(target.path.c_str(), &info) != 0) return errno;
  if (target.kind == PeekTarget::Kind::kDirectory) {
    auto found = open_output_directory(target.path);
    if (!found) return EIO;
    files = std::move(found->files);
    return 0;
  }
  auto file = OutputFileReader::open(target.path);
  if (!file) return EIO;
  if (*file) files.push_back(*std::move(*file));
  return 0;
}

}  // namespace

Peeked peek_now(PeekId id, const PeekTarget& target, const PeekRange& asked) {
  Peeked peeked;
  peeked.id = id;
  PeekRange range = asked;
  range.most = std::min(range.most, kMostBytes);
  if (target.kind == PeekTarget::Kind::kFile) {
    peek_file(target.path, range, peeked);
    return peeked;
  }
  std::vector<OutputFileReader> files;
  peeked.errnum = open_target(target, files);
  if (peeked.errnum == 0) peeked.errnum = peek_files(files, target, range, peeked);
  return peeked;
}

namespace {

struct Look {
  PeekId id;
  PeekTarget target;
  PeekRange range;
};

class ThreadedPeeker final : public OutputPeeker {
 public:
  explicit ThreadedPeeker(AnswerThreads<Look, Peeked> threads) : threads_(std::move(threads)) {}
  void look(PeekId id, const PeekTarget& target, const PeekRange& range) override {
    threads_.ask({id, target, range});
  }
  std::optional<Peeked> next_peeked() override { return threads_.next_answer(); }
  [[nodiscard]] int event_fd() const override { return threads_.event_fd(); }

 private:
  AnswerThreads<Look, Peeked> threads_;
};

}  // namespace

Result<std::unique_ptr<OutputPeeker>> make_output_peeker() {
  auto threads = AnswerThreads<Look, Peeked>::make(
      [](const Look& look) { return peek_now(look.id, look.target, look.range); }, kMostThreads);
  if (!threads) return std::move(threads.error()).with_context("Cannot watch the output that is looked at");
  return std::unique_ptr<OutputPeeker>(std::make_unique<ThreadedPeeker>(*std::move(threads)));
}

}  // namespace hq
