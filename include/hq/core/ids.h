// The ids of the domain (docs/glossary.md). All are unsigned 32 bit; none is ever used twice.
#pragma once

#include <string>

#include "hq/base/strong_id.h"

namespace hq {

using JobId = Id<struct JobTag>;            // first job = 1
using TaskId = Id<struct TaskTag>;          // unique in its job
using InstanceId = Id<struct InstanceTag>;  // one attempt at a task; 0 first, only grows
using WorkerId = Id<struct WorkerTag>;      // first worker = 1
using ClassId = Id<struct ClassTag>;        // a request class: one distinct set of variants
using DefinitionId =
    Id<struct DefinitionTag>;  // one task description of one submit; unique in a server's life

using AllocQueueId = Id<struct AllocQueueTag>;  // first queue of allocations = 1

// Random, made at submit: an attempt is (job uid, task, instance), so that one from another life of the
// server is never mistaken for ours.
using JobUid = Id<struct JobUidTag, uint64_t>;
// Random, made at worker start; survives reconnects.
using WorkerUid = Id<struct WorkerUidTag, uint64_t>;

struct JobTask {
  JobId job;
  TaskId task;
  friend constexpr auto operator<=>(const JobTask&, const JobTask&) = default;
  // "J@T"
  [[nodiscard]] std::string text() const { return job.text() + "@" + task.text(); }
};

}  // namespace hq
