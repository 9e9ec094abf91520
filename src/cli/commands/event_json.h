// Parts of events in the raw form of the original's event export (docs/journal.md).
#pragma once

#include "hq/base/clock.h"
#include "hq/base/json_writer.h"
#include "hq/core/alloc_params.h"
#include "hq/core/hardware_overview.h"
#include "hq/core/task.h"
#include "hq/core/worker_config.h"

namespace hq::cli {

void write_raw_config(JsonWriter& json, const WorkerConfig& config);
// The state of a machine; `time` is when it was told.
void write_overview(JsonWriter& json, const HardwareOverview& overview, WallTime time);
void write_raw_alloc_params(JsonWriter& json, const AllocParams& params);
void write_raw_submit(JsonWriter& json, const SubmitDescription& submit);

}  // namespace hq::cli
