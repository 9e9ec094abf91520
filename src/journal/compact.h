// Making a journal shorter (docs/journal.md, Compaction). What is left are events, under their numbers: the
// state they fold to is the state of all, without the jobs that are dropped.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "journal/disk.h"
#include "journal/files.h"
#include "journal/follow.h"

namespace hq {

enum class CompactWhat {
  kForgotten,  // jobs that were forgotten
  kEnded,      // all jobs that have ended, and workers that are gone
};

struct Compacted {
  // Null when nobody knows which file has the name after a crash: go on in a new one.
  std::unique_ptr<DiskFile> file;
  uint64_t offset = 0;  // behind the last record
};

// Rewrites all files of a journal as one while somebody goes on writing it. On an error, or when it is
// destroyed before finish(), the journal is as it was.
class Compaction {
 public:
  // Looks at the events up to `last_number`, which are safe; what comes later is copied as it is. `facts`
  // says how far the writer is. All but the values outlive the compaction.
  Compaction(Disk& disk, std::string path, CompactWhat what, FileHeader header, uint64_t last_number,
             std::function<WriterFacts()> facts, const std::atomic<bool>& canceled);
  ~Compaction();
  Compaction(const Compaction&) = delete;
  Compaction& operator=(const Compaction&) = delete;

  // The long part, for a thread of its own: writes the new file beside the journal, checks that it is as good
  // and catches up until only little is left to do.
  Result<void> write();
  // The short part, for the one who writes the journal, while all that was written is safe: catches up with
  // the rest and puts the new file in the place of the old ones. REQUIRES: write() was good.
  Result<Compacted> finish();

 private:
  // Copies what has become safe; how many bytes that was.
  Result<uint64_t> catch_up();

  Disk& disk_;
  const std::string path_;
  const std::string temporary_;
  const CompactWhat what_;
  FileHeader header_;
  const uint64_t last_number_;
  const std::function<WriterFacts()> facts_;
  const std::atomic<bool>& canceled_;
  const uint64_t generation_;  // of the files when it began

  std::unique_ptr<DiskFile> file_;
  uint64_t offset_ = 0;
  std::vector<std::string> old_files_;  // all but the first
  std::unique_ptr<FollowingReader> reader_;
  bool in_place_ = false;
};

}  // namespace hq
