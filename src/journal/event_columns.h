// What each kind of event looks like in the journal: its number in the file, and its columns in their order.
// One description per kind writes and reads. To add a field, add a column at the end of its kind; to add a
// kind, take the next free number. Numbers and the order of columns never change.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "hq/core/event.h"
#include "hq/protocol/description_codec.h"
#include "journal/columns.h"

namespace hq {

template <>
inline constexpr uint64_t kLast<LossReason> = uint64_t(LossReason::kTimeLimitReached);
template <>
inline constexpr uint64_t kLast<FailureKind> = uint64_t(FailureKind::kMemoryLimit);
template <>
inline constexpr uint64_t kLast<AllocationEndKind> = uint64_t(AllocationEndKind::kCanceled);

// The number of a kind in files; never used for another one.
template <class E>
inline constexpr uint64_t kKindNumber = 0;
template <>
inline constexpr uint64_t kKindNumber<ServerStarted> = 1;
template <>
inline constexpr uint64_t kKindNumber<ServerStopped> = 2;
template <>
inline constexpr uint64_t kKindNumber<WorkerConnected> = 3;
template <>
inline constexpr uint64_t kKindNumber<WorkerLost> = 4;
template <>
inline constexpr uint64_t kKindNumber<JobSubmitted> = 5;
template <>
inline constexpr uint64_t kKindNumber<JobOpened> = 6;
template <>
inline constexpr uint64_t kKindNumber<JobClosed> = 7;
template <>
inline constexpr uint64_t kKindNumber<JobCanceled> = 8;
template <>
inline constexpr uint64_t kKindNumber<JobAborted> = 9;
template <>
inline constexpr uint64_t kKindNumber<TasksAborted> = 10;
template <>
inline constexpr uint64_t kKindNumber<JobForgotten> = 11;
template <>
inline constexpr uint64_t kKindNumber<TasksAssigned> = 12;
template <>
inline constexpr uint64_t kKindNumber<TasksReturned> = 13;
template <>
inline constexpr uint64_t kKindNumber<TasksStarted> = 14;
template <>
inline constexpr uint64_t kKindNumber<TasksEnded> = 15;
template <>
inline constexpr uint64_t kKindNumber<WorkerFenced> = 16;
template <>
inline constexpr uint64_t kKindNumber<TasksReclaimed> = 17;
template <>
inline constexpr uint64_t kKindNumber<WorkerMeasured> = 18;
template <>
inline constexpr uint64_t kKindNumber<AllocQueueCreated> = 19;
template <>
inline constexpr uint64_t kKindNumber<AllocQueueRemoved> = 20;
template <>
inline constexpr uint64_t kKindNumber<AllocQueuePaused> = 21;
template <>
inline constexpr uint64_t kKindNumber<AllocQueueResumed> = 22;
template <>
inline constexpr uint64_t kKindNumber<AllocationSubmitting> = 23;
template <>
inline constexpr uint64_t kKindNumber<AllocationQueued> = 24;
template <>
inline constexpr uint64_t kKindNumber<AllocationNotQueued> = 25;
template <>
inline constexpr uint64_t kKindNumber<AllocationStarted> = 26;
template <>
inline constexpr uint64_t kKindNumber<AllocationEnded> = 27;

// Names a member for a column.
#define HQ_FIELD(member)   \
  [](auto& row) -> auto& { \
    return row.member;     \
  }

// The lists of all events of a kind as one table; `times` of the rows are those of their events. A reader
// makes the rows; `moments` columns are written relative to `times`.
template <class Item>
struct Table {
  std::vector<Item*> rows;
  std::vector<WallTime> times;
};

template <class V, class E, class List>
auto table_of(V& v, const std::vector<E*>& events, const std::vector<WallTime>& times, List list) {
  using Item = std::remove_reference_t<decltype(list(*events[0])[0])>;
  std::vector<uint64_t> counts(events.size());
  std::vector<uint64_t*> pointers;
  uint64_t total = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    if constexpr (!V::kReads) counts[i] = list(*events[i]).size();
    pointers.push_back(&counts[i]);
  }
  v.ints(pointers, [](uint64_t& n) -> uint64_t& { return n; });
  Table<Item> out;
  for (uint64_t n : counts) {
    if constexpr (V::kReads) {
      if (n > kMaxTableRows - total) v.fail();
    }
    total += n;
  }
  if (!v.ok()) return out;
  out.rows.reserve(total);
  out.times.reserve(total);
  for (size_t i = 0; i < events.size(); ++i) {
    if constexpr (V::kReads) list(*events[i]).resize(counts[i]);
    for (auto& item : list(*events[i])) out.rows.push_back(&item);
    out.times.resize(out.rows.size(), times[i]);
  }
  return out;
}

// S is E while reading, const E while writing.
template <class S, class E>
concept EventIs = std::same_as<std::remove_const_t<S>, E>;
using Times = std::vector<WallTime>;

template <class V, EventIs<ServerStarted> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.texts(events, HQ_FIELD(server_uid));
  v.ints(events, HQ_FIELD(window));
}

template <class V, EventIs<ServerStopped> S>
void columns(V&, const std::vector<S*>&, const Times&) {}

template <class V, EventIs<WorkerConnected> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(worker));
  v.ints(events, HQ_FIELD(uid));
  v.blobs(
      events, [](const WorkerConnected& e) { return encode_worker_config(*e.config); },
      [](auto& e, BytesView bytes) {
        auto config = decode_worker_config(bytes);
        if (!config) return false;
        if constexpr (V::kReads) e.config = std::make_shared<const WorkerConfig>(std::move(*config));
        return true;
      });
}

template <class V, EventIs<WorkerLost> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(worker));
  v.ints(events, HQ_FIELD(reason));
  v.ints(events, HQ_FIELD(held));
}

template <class V, EventIs<WorkerFenced> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(worker));
}

template <class V, EventIs<WorkerMeasured> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(worker));
  v.blobs(
      events, [](const WorkerMeasured& e) { return encode_overview(*e.overview); },
      [](auto& e, BytesView bytes) {
        auto overview = decode_overview(bytes);
        if (!overview) return false;
        if constexpr (V::kReads) e.overview = std::make_shared<const HardwareOverview>(std::move(*overview));
        return true;
      });
}

template <class V, EventIs<JobSubmitted> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(job));
  v.ints(events, HQ_FIELD(uid));
  v.ints(events, HQ_FIELD(attach));
  v.texts(events, HQ_FIELD(name));
  v.optional_ints(events, HQ_FIELD(max_fails));
  v.blobs(
      events, [](const JobSubmitted& e) { return encode_submit(*e.submit); },
      [](auto& e, BytesView bytes) {
        auto submit = decode_submit(bytes);
        if (!submit) return false;
        if constexpr (V::kReads) e.submit = std::make_shared<const SubmitDescription>(std::move(*submit));
        return true;
      });
}

template <class V, EventIs<JobOpened> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(job));
  v.ints(events, HQ_FIELD(uid));
  v.texts(events, HQ_FIELD(name));
  v.optional_ints(events, HQ_FIELD(max_fails));
}

template <class V, EventIs<JobClosed> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(job));
}

template <class V, EventIs<JobCanceled> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(job));
  v.texts(events, HQ_FIELD(reason));
}

template <class V, EventIs<JobAborted> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(job));
}

template <class V, EventIs<TasksAborted> S>
void columns(V& v, const std::vector<S*>& events, const Times& times) {
  v.ints(events, HQ_FIELD(job));
  auto table = table_of(v, events, times, HQ_FIELD(tasks));
  v.ints(table.rows, HQ_FIELD(value));
}

template <class V, EventIs<JobForgotten> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(job));
}

template <class V, class E>
void range_columns(V& v, const std::vector<E*>& events, const Times& times) {
  auto table = table_of(v, events, times, HQ_FIELD(ranges));
  v.ints(table.rows, HQ_FIELD(job));
  v.ints(table.rows, HQ_FIELD(ids.first));
  v.ranges(table.rows, HQ_FIELD(ids));
  v.ints(table.rows, HQ_FIELD(instance));
  v.ints(table.rows, HQ_FIELD(variant));
  v.ints(table.rows, HQ_FIELD(slot));
  auto nodes = table_of(v, table.rows, table.times, HQ_FIELD(nodes));
  v.ints(nodes.rows, HQ_FIELD(value));
}

template <class V, EventIs<TasksAssigned> S>
void columns(V& v, const std::vector<S*>& events, const Times& times) {
  v.ints(events, HQ_FIELD(worker));
  range_columns(v, events, times);
}

template <class V, EventIs<TasksReclaimed> S>
void columns(V& v, const std::vector<S*>& events, const Times& times) {
  v.ints(events, HQ_FIELD(worker));
  v.ints(events, HQ_FIELD(lost));
  range_columns(v, events, times);
}

template <class V, EventIs<TasksReturned> S>
void columns(V& v, const std::vector<S*>& events, const Times& times) {
  v.ints(events, HQ_FIELD(worker));
  auto table = table_of(v, events, times, HQ_FIELD(tasks));
  v.ints(table.rows, HQ_FIELD(task.job));
  v.ints(table.rows, HQ_FIELD(task.task));
  v.ints(table.rows, HQ_FIELD(instance));
  v.optional_ints(table.rows, HQ_FIELD(lost));
}

template <class V, EventIs<TasksStarted> S>
void columns(V& v, const std::vector<S*>& events, const Times& times) {
  v.ints(events, HQ_FIELD(worker));
  auto table = table_of(v, events, times, HQ_FIELD(tasks));
  v.ints(table.rows, HQ_FIELD(task.job));
  v.ints(table.rows, HQ_FIELD(task.task));
  v.ints(table.rows, HQ_FIELD(instance));
  v.ints(table.rows, HQ_FIELD(variant));
  v.moments(table.rows, table.times, HQ_FIELD(at));
}

template <class V, EventIs<TasksEnded> S>
void columns(V& v, const std::vector<S*>& events, const Times& times) {
  v.ints(events, HQ_FIELD(worker));
  auto table = table_of(v, events, times, HQ_FIELD(tasks));
  v.ints(table.rows, HQ_FIELD(task.job));
  v.ints(table.rows, HQ_FIELD(task.task));
  v.ints(table.rows, HQ_FIELD(instance));
  v.usual_ints(table.rows, 1, HQ_FIELD(finished));
  v.ints(table.rows, HQ_FIELD(variant));
  v.moments(table.rows, table.times, HQ_FIELD(at));
  v.seconds(table.rows, HQ_FIELD(usage.ran_s));
  v.seconds(table.rows, HQ_FIELD(usage.user_s));
  v.seconds(table.rows, HQ_FIELD(usage.system_s));
  v.ints(table.rows, HQ_FIELD(usage.peak_kib));
  v.ints(table.rows, HQ_FIELD(failure.kind));
  v.ints(table.rows, HQ_FIELD(failure.code));
  v.texts(table.rows, HQ_FIELD(failure.text));
}

template <class V, EventIs<AllocQueueCreated> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
  v.blobs(
      events, [](const AllocQueueCreated& e) { return encode_alloc_params(*e.params); },
      [](auto& e, BytesView bytes) {
        auto params = decode_alloc_params(bytes);
        if (!params) return false;
        if constexpr (V::kReads) e.params = std::make_shared<const AllocParams>(std::move(*params));
        return true;
      });
}

template <class V, EventIs<AllocQueueRemoved> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
}

template <class V, EventIs<AllocQueuePaused> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
  v.ints(events, HQ_FIELD(by_failures));
}

template <class V, EventIs<AllocQueueResumed> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
}

template <class V, EventIs<AllocationSubmitting> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
  v.ints(events, HQ_FIELD(number));
  v.ints(events, HQ_FIELD(workers));
  v.texts(events, HQ_FIELD(directory));
}

template <class V, EventIs<AllocationQueued> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
  v.ints(events, HQ_FIELD(number));
  v.texts(events, HQ_FIELD(allocation));
}

template <class V, EventIs<AllocationNotQueued> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
  v.ints(events, HQ_FIELD(number));
  v.texts(events, HQ_FIELD(cause));
  v.usual_ints(events, 1, HQ_FIELD(counts));
}

template <class V, EventIs<AllocationStarted> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
  v.ints(events, HQ_FIELD(number));
  v.usual_ints(events, 1, HQ_FIELD(by_worker));
}

template <class V, EventIs<AllocationEnded> S>
void columns(V& v, const std::vector<S*>& events, const Times&) {
  v.ints(events, HQ_FIELD(queue));
  v.ints(events, HQ_FIELD(number));
  v.ints(events, HQ_FIELD(kind));
  v.ints(events, HQ_FIELD(failed));
  v.texts(events, HQ_FIELD(cause));
  v.ints(events, HQ_FIELD(started.ns));
  v.ints(events, HQ_FIELD(ended.ns));
}

#undef HQ_FIELD

}  // namespace hq
