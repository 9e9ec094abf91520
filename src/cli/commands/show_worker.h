// What is printed about workers: by `worker start` once it is registered, by `worker info` and `worker list`,
// and by `worker hwdetect`.
#pragma once

#include <string_view>
#include <vector>

#include "cli/output/formatter.h"
#include "hq/core/resources.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

// "RUNNING", "CONNECTION LOST", ...
[[nodiscard]] std::string_view worker_state_text(const msg::WorkerDetail& worker);

// The worker that we are, right after registration: without what only the server knows of it.
void print_started_worker(const msg::WorkerDetail& worker, Output& output);
// Several tables with an empty line between them, or one document.
void print_worker_infos(const std::vector<msg::WorkerDetail>& workers, Output& output);
void print_worker_list(const std::vector<msg::WorkerDetail>& workers, Output& output);
// The same with the reason, in place of what they offer. REQUIRES: each has one.
void print_suspect_workers(const std::vector<msg::WorkerDetail>& workers, Output& output);
// What a machine offers, in the order of the items.
void print_detected_resources(const std::vector<ResourceItem>& items, Output& output);

// As `worker info` has them in JSON.
void write_worker_resources(JsonWriter& json, const ResourceDescriptor& resources);

}  // namespace hq::cli
