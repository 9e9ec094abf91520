// The words for enums in client messages, in the order of their values: the one table for both directions.
#pragma once

#include <array>
#include <string_view>

#include "hq/core/failure.h"
#include "hq/core/resources.h"
#include "hq/core/task.h"
#include "hq/core/worker_config.h"
#include "hq/protocol/client_messages.h"

namespace hq {

template <class E>
inline constexpr std::array<std::string_view, 0> kEnumNames{};

template <>
inline constexpr std::array<std::string_view, 6> kEnumNames<TaskState>{"waiting", "running",  "finished",
                                                                       "failed",  "canceled", "aborted"};
template <>
inline constexpr std::array<std::string_view, 2> kEnumNames<msg::ReadOutput::Channel>{"stdout", "stderr"};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<Condition::Kind>{"resource", "time", "nodes"};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<PinMode>{"none", "taskset", "omp"};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<StdioSpec::Kind>{"file", "null", "stream"};
template <>
inline constexpr std::array<std::string_view, 6> kEnumNames<Policy>{"compact", "compact!", "tight",
                                                                    "tight!",  "scatter",  "all"};
template <>
inline constexpr std::array<std::string_view, 8> kEnumNames<FailureKind>{
    "exit",          "error-file",  "time-limit",    "launch",
    "before-launch", "crash-limit", "never-restart", "memory-limit"};
template <>
inline constexpr std::array<std::string_view, 2> kEnumNames<OnServerLost>{"stop", "finish-running"};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<ManagerKind>{"none", "pbs", "slurm"};
template <>
inline constexpr std::array<std::string_view, 5> kEnumNames<LossReason>{
    "stopped", "connection-lost", "heartbeat-lost", "idle-timeout", "time-limit-reached"};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<msg::GetJobs::Tasks>{"none", "first-failed",
                                                                                 "all"};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<msg::ItemResult::Outcome>{"ok", "not-found",
                                                                                      "already-ended"};

template <>
inline constexpr auto kEnumNames<AllocationState> = kAllocationStateNames;
template <>
inline constexpr std::array<std::string_view, 4> kEnumNames<AllocationEndKind>{"normal", "unexpected",
                                                                               "unknown", "canceled"};

}  // namespace hq
