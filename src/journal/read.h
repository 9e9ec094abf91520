// Reading all files of a journal as one list of events.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "hq/journal/journal_file.h"
#include "journal/disk.h"
#include "journal/files.h"

namespace hq {

struct ReadFile {
  JournalFileName name;
  FileHeader header;
  uint64_t size = 0;
  uint64_t end = 0;  // behind the last whole record
};

struct ReadJournal {
  JournalReport report;
  std::vector<ReadFile> files;
};

// Gets each event, and the report as far as it is known: `missing` holds all that is missing before it.
using OnStored = std::function<void(const JournalReport& so_far, uint64_t number, Record&& record)>;

struct ReadLimits {
  uint64_t last_number = UINT64_MAX;            // later events are not looked at
  const std::atomic<bool>* canceled = nullptr;  // an error as soon as it is true
};
[[nodiscard]] Result<ReadJournal> read_files(Disk& disk, const std::string& path, const OnStored& on_record,
                                             const ReadLimits& limits = {});

struct Replayed {
  State state;
  ReadJournal read;
};
[[nodiscard]] Result<Replayed> replay_files(Disk& disk, const std::string& path,
                                            const ReadLimits& limits = {});

}  // namespace hq
