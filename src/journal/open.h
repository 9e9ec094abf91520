// Opening a journal on any disk.
#pragma once

#include "hq/journal/journal_file.h"
#include "journal/disk.h"
#include "journal/file_journal.h"

namespace hq {

// `writer` has all but what the files decide. The disk outlives the journal.
[[nodiscard]] Result<OpenedJournal> open_journal_on(Disk& disk, FileJournalOptions writer);

}  // namespace hq
