// Making a journal shorter (docs/journal.md, Compaction). What is left are events, under their numbers: the
// state they fold to is the state of all, without the jobs that are dropped.
#pragma once

#include <memory>
#include <string>

#include "journal/disk.h"
#include "journal/files.h"

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

// Rewrites all files of the journal as one, and puts it in their place once it is known to be as good. On an
// error the journal is as it was. REQUIRES: nobody writes meanwhile; all up to `last_number` is safe.
[[nodiscard]] Result<Compacted> compact_files(Disk& disk, const std::string& path, CompactWhat what,
                                              FileHeader header, uint64_t last_number);

}  // namespace hq
