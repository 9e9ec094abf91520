// Reading a journal while it is written: the records that are safe, in their order, each once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/journal/journal.h"
#include "journal/disk.h"
#include "journal/files.h"
#include "journal/framing.h"

namespace hq {

// What the writer says of itself; asked at each step.
struct WriterFacts {
  uint64_t generation = 0;   // changes when files begin or are replaced
  uint64_t safe_number = 0;  // events up to here are safe
};

class FollowingReader final : public JournalReader {
 public:
  // Events up to number `after` are left out. The disk, and what `facts` asks, outlive the reader.
  FollowingReader(Disk& disk, std::string path, std::function<WriterFacts()> facts, uint64_t after = 0)
      : disk_(disk), path_(std::move(path)), facts_(std::move(facts)), told_(after) {}

  Result<std::optional<EventsRead>> next() override;

 private:
  struct Source {
    std::unique_ptr<DiskFile> file;
    std::unique_ptr<FrameReader> frames;
  };
  Result<void> open_files();
  [[nodiscard]] uint64_t where_to_begin(DiskFile& file, uint64_t size) const;
  // The next record of the files, whether it is safe or not.
  Result<std::optional<Bytes>> next_record();

  Disk& disk_;
  const std::string path_;
  const std::function<WriterFacts()> facts_;
  std::optional<uint64_t> generation_;
  std::vector<Source> sources_;
  size_t current_ = 0;            // in sources_
  uint64_t told_;                 // number of the last event given out
  std::optional<Bytes> waiting_;  // read, and not safe yet
};

}  // namespace hq
