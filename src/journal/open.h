// Opening a journal on any disk.
#pragma once

#include "hq/journal/journal_file.h"
#include "journal/disk.h"
#include "journal/file_journal.h"

namespace hq {

struct Ownership {
  uint64_t earlier_epoch = 0;   // of the owner before us, as the owner file says
  bool may_have_rival = false;  // that one may still write: a new file under a new epoch
  // Called with our epoch after reading and before anything is written.
  std::function<Result<void>(uint64_t epoch)> begin;
};

// `writer` has all but what the files decide. The disk outlives the journal.
[[nodiscard]] Result<OpenedJournal> open_journal_on(Disk& disk, FileJournalOptions writer,
                                                    const Ownership& ownership = {});

}  // namespace hq
