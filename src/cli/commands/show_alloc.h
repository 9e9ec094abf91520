// How allocation queues and allocations are shown.
#pragma once

#include <optional>
#include <vector>

#include "cli/commands/options.h"
#include "cli/output/formatter.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

void print_alloc_queues(const std::vector<msg::AllocQueueInfo>& queues, Output& output);
void print_allocations(std::vector<msg::AllocationInfo> allocations, std::optional<AllocationFilter> filter,
                       Output& output);
// Why the queue submits nothing for now; nothing if that is not because of failures.
[[nodiscard]] std::optional<std::string> back_off_text(const msg::AllocQueueInfo& queue);

}  // namespace hq::cli
