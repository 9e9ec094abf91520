// Jobs and tasks as JSON (docs/json.md). Keys are in alphabetical order; what is not known is absent in
// tasks and null elsewhere.
#pragma once

#include <string>

#include "cli/commands/task_text.h"
#include "hq/base/json_writer.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

void write_job_summary(JsonWriter& json, const msg::JobSummary& job);
// {"Compact": 10000}, "All": amount (in ten-thousandths) and policy of one resource.
void write_entry_policy(JsonWriter& json, const ResourceEntry& entry);
void write_submit(JsonWriter& json, const SubmitDescription& submit);

// Writes the tasks of one job. Paths in them may hold the uid of the server.
class TaskJson {
 public:
  TaskJson(JsonWriter& json, const msg::JobDetail& job, const std::string& server_uid)
      : json_(json), job_(job), descriptions_(job), server_uid_(server_uid) {}
  // Every task of the row, as elements of the array that is open.
  void write(const msg::TaskRow& row);

 private:
  void write_task(const msg::TaskRow& row, TaskId id);

  JsonWriter& json_;
  const msg::JobDetail& job_;
  const Descriptions descriptions_;
  const std::string& server_uid_;
};

}  // namespace hq::cli
