// Submits, worker configurations and the like on their own, outside any message: the form that client
// messages have (docs/protocol.md, Client messages), as files keep it.
#pragma once

#include "hq/base/bytes.h"
#include "hq/base/result.h"
#include "hq/core/alloc_params.h"
#include "hq/core/hardware_overview.h"
#include "hq/core/task.h"
#include "hq/core/worker_config.h"

namespace hq {

[[nodiscard]] Bytes encode_submit(const SubmitDescription& submit);
[[nodiscard]] Result<SubmitDescription> decode_submit(BytesView bytes);
[[nodiscard]] Bytes encode_overview(const HardwareOverview& overview);
[[nodiscard]] Result<HardwareOverview> decode_overview(BytesView bytes);
[[nodiscard]] Bytes encode_alloc_params(const AllocParams& params);
[[nodiscard]] Result<AllocParams> decode_alloc_params(BytesView bytes);
[[nodiscard]] Bytes encode_worker_config(const WorkerConfig& config);
[[nodiscard]] Result<WorkerConfig> decode_worker_config(BytesView bytes);

}  // namespace hq
