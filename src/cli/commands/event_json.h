// Parts of events in the raw form of the original's event export (docs/journal.md).
#pragma once

#include "hq/base/json_writer.h"
#include "hq/core/task.h"
#include "hq/core/worker_config.h"

namespace hq::cli {

void write_raw_config(JsonWriter& json, const WorkerConfig& config);
void write_raw_submit(JsonWriter& json, const SubmitDescription& submit);

}  // namespace hq::cli
