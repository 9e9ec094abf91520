#include "protocol/worker_tables.h"

#include "protocol/columns.h"

namespace hq {

namespace {

using msg::EndedTask;
using msg::HeldTask;
using msg::Run;
using msg::StartedTask;
using msg::TaskSpan;

constexpr uint64_t kMaxOutcome = uint64_t(EndedTask::Outcome::kStopped);
constexpr uint64_t kMaxFailureKind = uint64_t(FailureKind::kMemoryLimit);

// Opens a table: its number of columns. Tables of another shape are refused.
void expect_columns(WireReader& r, const char* field, uint32_t columns) {
  if (r.array(field) != columns) r.fail(field, "a table of other columns");
}

// --- columns that several tables have ----------------------------------------------------------------------

template <class Row>
void put_tasks(WireWriter& w, const std::vector<Row>& rows) {
  w.array(rows.size());
  for (const Row& row : rows) w.uint(row.task.value);
}

// The first column: it says how many rows there are.
template <class Row>
void read_tasks(WireReader& r, const char* field, std::vector<Row>& rows) {
  rows.clear();
  rows.resize(read_row_count(r, field));
  read_column(r, field, rows, UINT32_MAX, [](Row& row, uint64_t v) { row.task = TaskId(uint32_t(v)); });
}

template <class Row>
void put_instance_and_variant(WireWriter& w, const std::vector<Row>& rows) {
  put_column(w, rows, 0, [](const Row& row) { return row.instance.value; });
  put_column(w, rows, 0, [](const Row& row) { return row.variant; });
}

template <class Row>
void read_instance_and_variant(WireReader& r, std::vector<Row>& rows) {
  read_column(r, "instance", rows, UINT32_MAX,
              [](Row& row, uint64_t v) { row.instance = InstanceId(uint32_t(v)); });
  read_column(r, "variant", rows, UINT8_MAX, [](Row& row, uint64_t v) { row.variant = uint8_t(v); });
}

template <class Row>
void put_jobs(WireWriter& w, const std::vector<Row>& rows) {
  put_runs(
      w, rows, 1, [](const Row& a, const Row& b) { return a.job == b.job; },
      [&](const Row& row) { w.uint(row.job.value); });
}

template <class Row>
void read_jobs(WireReader& r, std::vector<Row>& rows) {
  read_runs(
      r, "job", rows, 1, [&] { return JobId(r.uint32("job")); }, [](Row& row, JobId job) { row.job = job; });
}

struct JobKey {
  JobId job;
  JobUid uid;
};

template <class Row>
void put_jobs_with_uid(WireWriter& w, const std::vector<Row>& rows) {
  const auto same = [](const Row& a, const Row& b) { return a.job == b.job && a.job_uid == b.job_uid; };
  put_runs(w, rows, 2, same, [&](const Row& row) {
    w.uint(row.job.value);
    w.uint(row.job_uid.value);
  });
}

template <class Row>
void read_jobs_with_uid(WireReader& r, std::vector<Row>& rows) {
  const auto read_key = [&] {
    const JobId job(r.uint32("job"));
    return JobKey{job, JobUid(r.uint("job_uid", UINT64_MAX))};
  };
  read_runs(r, "job", rows, 2, read_key, [](Row& row, const JobKey& key) {
    row.job = key.job;
    row.job_uid = key.uid;
  });
}

template <class Row, class Seconds>
void put_seconds(WireWriter& w, const std::vector<Row>& rows, Seconds seconds) {
  put_column(w, rows, 0, [&](const Row& row) { return to_micros(seconds(row)); });
}

// `seconds(row)` is a reference to where they belong.
template <class Row, class Seconds>
void read_seconds(WireReader& r, const char* field, std::vector<Row>& rows, Seconds seconds) {
  read_column(r, field, rows, kMaxMicros, [&](Row& row, uint64_t v) { seconds(row) = from_micros(v); });
}

// Ranges: first, how many steps to the last one, step.
template <class Row, class Range>
void put_ranges(WireWriter& w, const std::vector<Row>& rows, Range range) {
  w.array(rows.size());
  for (const Row& row : rows) w.uint(range(row).first);
  put_column(w, rows, 0, [&](const Row& row) { return range(row).count() - 1; });
  put_column(w, rows, 1, [&](const Row& row) { return range(row).step; });
}

// The first column, as with read_tasks.
template <class Row, class Range>
void read_ranges(WireReader& r, std::vector<Row>& rows, Range range) {
  rows.clear();
  rows.resize(read_row_count(r, "ids"));
  read_column(r, "ids", rows, UINT32_MAX, [&](Row& row, uint64_t v) {
    range(row) = {uint32_t(v), uint32_t(v), 1};
  });
  std::vector<uint32_t> steps_to_last(rows.size());
  read_column(r, "steps", steps_to_last, UINT32_MAX, [](uint32_t& n, uint64_t v) { n = uint32_t(v); });
  read_column(r, "step", rows, UINT32_MAX, [&](Row& row, uint64_t v) { range(row).step = uint32_t(v); });
  for (size_t i = 0; i < rows.size() && r.ok(); ++i) {
    IdRange& ids = range(rows[i]);
    const uint64_t last = ids.first + uint64_t{steps_to_last[i]} * ids.step;
    if (ids.step == 0 || last > UINT32_MAX) r.fail("ids", "not a range");
    ids.last = uint32_t(last);
  }
}

// --- columns with few values: lists of [row, ...]
// ------------------------------------------------------------

void put_failures(WireWriter& w, const std::vector<EndedTask>& rows) {
  const auto has_none = [](const EndedTask& row) { return row.failure == Failure{}; };
  w.array(rows.size() - size_t(std::count_if(rows.begin(), rows.end(), has_none)));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (has_none(rows[i])) continue;
    w.array(4);
    w.uint(i);
    w.uint(uint64_t(rows[i].failure.kind));
    w.sint(rows[i].failure.code);
    w.text(rows[i].failure.text);
  }
}

void read_failures(WireReader& r, std::vector<EndedTask>& rows) {
  const uint32_t count = r.array("failures");
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    expect_columns(r, "failures", 4);
    const uint32_t row = r.uint32("failures");
    if (row >= rows.size()) return r.fail("failures", "no such row");
    Failure& failure = rows[row].failure;
    failure.kind = FailureKind(r.uint("failures", kMaxFailureKind));
    failure.code = int32_t(r.sint("failures", INT32_MIN, INT32_MAX));
    failure.text = r.text("failures");
  }
}

void put_lengths(WireWriter& w, const Entries& entries) {
  w.array(entries.size());
  uint32_t begin = 0;
  for (const uint32_t end : entries.ends) {
    w.uint(end - begin);
    begin = end;
  }
}

void put_entries(WireWriter& w, const std::vector<Run>& rows) {
  const auto has = [](const Run& run) { return run.entries.has_value(); };
  w.array(size_t(std::count_if(rows.begin(), rows.end(), has)));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!has(rows[i])) continue;
    w.array(3);
    w.uint(i);
    w.bin(rows[i].entries->blob);
    put_lengths(w, *rows[i].entries);
  }
}

void read_one_entries(WireReader& r, const IdRange& ids, Entries& entries) {
  entries.blob = r.text("entries");
  const uint32_t count = r.array("entries");
  if (count != ids.count()) return r.fail("entries", "not one for each id");
  entries.ends.reserve(count);
  uint64_t end = 0;
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    end += r.uint("entries", entries.blob.size() - end);
    entries.ends.push_back(uint32_t(end));
  }
  if (end != entries.blob.size()) r.fail("entries", "lengths that do not add up");
}

void read_entries(WireReader& r, std::vector<Run>& rows) {
  const uint32_t count = r.array("entries");
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    expect_columns(r, "entries", 3);
    const uint32_t row = r.uint32("entries");
    if (row >= rows.size() || rows[row].entries) return r.fail("entries", "no such row");
    read_one_entries(r, rows[row].ids, rows[row].entries.emplace());
  }
}

void put_hosts(WireWriter& w, const std::vector<Run>& rows) {
  const auto has = [](const Run& run) { return !run.hosts.empty(); };
  w.array(size_t(std::count_if(rows.begin(), rows.end(), has)));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!has(rows[i])) continue;
    w.array(2);
    w.uint(i);
    w.array(rows[i].hosts.size());
    for (const std::string& host : rows[i].hosts) w.text(host);
  }
}

void read_hosts(WireReader& r, std::vector<Run>& rows) {
  const uint32_t count = r.array("hosts");
  for (uint32_t i = 0; i < count && r.ok(); ++i) {
    expect_columns(r, "hosts", 2);
    const uint32_t row = r.uint32("hosts");
    if (row >= rows.size() || !rows[row].hosts.empty()) return r.fail("hosts", "no such row");
    const uint32_t hosts = r.array("hosts");
    for (uint32_t k = 0; k < hosts && r.ok(); ++k) rows[row].hosts.emplace_back(r.text("hosts"));
  }
}

// Bits of the column of flags of a run.
constexpr uint64_t kSlot = 1;
constexpr uint64_t kEager = 2;

}  // namespace

// --- tables
// --------------------------------------------------------------------------------------------------

void put_table(WireWriter& w, const std::vector<StartedTask>& rows) {
  w.array(5);
  put_tasks(w, rows);
  put_jobs(w, rows);
  put_instance_and_variant(w, rows);
  put_seconds(w, rows, [](const StartedTask& row) { return row.ago_s; });
}

void read_table(WireReader& r, std::vector<StartedTask>& rows) {
  expect_columns(r, "started", 5);
  read_tasks(r, "started", rows);
  read_jobs(r, rows);
  read_instance_and_variant(r, rows);
  read_seconds(r, "ago", rows, [](StartedTask& row) -> float& { return row.ago_s; });
}

void put_table(WireWriter& w, const std::vector<EndedTask>& rows) {
  w.array(11);
  put_tasks(w, rows);
  put_jobs_with_uid(w, rows);
  put_instance_and_variant(w, rows);
  put_column(w, rows, 0, [](const EndedTask& row) { return uint64_t(row.outcome); });
  put_seconds(w, rows, [](const EndedTask& row) { return row.ago_s; });
  put_seconds(w, rows, [](const EndedTask& row) { return row.usage.ran_s; });
  put_seconds(w, rows, [](const EndedTask& row) { return row.usage.user_s; });
  put_seconds(w, rows, [](const EndedTask& row) { return row.usage.system_s; });
  put_column(w, rows, 0, [](const EndedTask& row) { return row.usage.peak_kib; });
  put_failures(w, rows);
}

void read_table(WireReader& r, std::vector<EndedTask>& rows) {
  expect_columns(r, "ended", 11);
  read_tasks(r, "ended", rows);
  read_jobs_with_uid(r, rows);
  read_instance_and_variant(r, rows);
  read_column(r, "outcome", rows, kMaxOutcome,
              [](EndedTask& row, uint64_t v) { row.outcome = EndedTask::Outcome(v); });
  read_seconds(r, "ago", rows, [](EndedTask& row) -> float& { return row.ago_s; });
  read_seconds(r, "ran", rows, [](EndedTask& row) -> float& { return row.usage.ran_s; });
  read_seconds(r, "user", rows, [](EndedTask& row) -> float& { return row.usage.user_s; });
  read_seconds(r, "system", rows, [](EndedTask& row) -> float& { return row.usage.system_s; });
  read_column(r, "peak", rows, UINT32_MAX,
              [](EndedTask& row, uint64_t v) { row.usage.peak_kib = uint32_t(v); });
  read_failures(r, rows);
}

void put_table(WireWriter& w, const std::vector<HeldTask>& rows) {
  w.array(5);
  put_tasks(w, rows);
  put_jobs_with_uid(w, rows);
  put_instance_and_variant(w, rows);
  put_column(w, rows, 0, [](const HeldTask& row) { return uint64_t{row.running}; });
}

void read_table(WireReader& r, std::vector<HeldTask>& rows) {
  expect_columns(r, "held", 5);
  read_tasks(r, "held", rows);
  read_jobs_with_uid(r, rows);
  read_instance_and_variant(r, rows);
  read_column(r, "running", rows, 1, [](HeldTask& row, uint64_t v) { row.running = v != 0; });
}

void put_table(WireWriter& w, const std::vector<TaskSpan>& rows) {
  w.array(5);
  put_ranges(w, rows, [](const TaskSpan& row) -> const IdRange& { return row.ids; });
  put_jobs(w, rows);
  put_column(w, rows, 0, [](const TaskSpan& row) { return row.instance.value; });
}

void read_table(WireReader& r, std::vector<TaskSpan>& rows) {
  expect_columns(r, "spans", 5);
  read_ranges(r, rows, [](TaskSpan& row) -> IdRange& { return row.ids; });
  read_jobs(r, rows);
  read_column(r, "instance", rows, UINT32_MAX,
              [](TaskSpan& row, uint64_t v) { row.instance = InstanceId(uint32_t(v)); });
}

void put_table(WireWriter& w, const std::vector<Run>& rows) {
  w.array(9);
  put_ranges(w, rows, [](const Run& row) -> const IdRange& { return row.ids; });
  put_runs(
      w, rows, 1, [](const Run& a, const Run& b) { return a.definition == b.definition; },
      [&](const Run& row) { w.uint(row.definition.value); });
  put_instance_and_variant(w, rows);
  put_column(w, rows, 0, [](const Run& row) { return (row.slot ? kSlot : 0) | (row.eager ? kEager : 0); });
  put_entries(w, rows);
  put_hosts(w, rows);
}

void read_table(WireReader& r, std::vector<Run>& rows) {
  expect_columns(r, "runs", 9);
  read_ranges(r, rows, [](Run& row) -> IdRange& { return row.ids; });
  read_runs(
      r, "definition", rows, 1, [&] { return DefinitionId(r.uint32("definition")); },
      [](Run& row, DefinitionId definition) { row.definition = definition; });
  read_instance_and_variant(r, rows);
  read_column(r, "flags", rows, kSlot | kEager, [](Run& row, uint64_t v) {
    row.slot = (v & kSlot) != 0;
    row.eager = (v & kEager) != 0;
  });
  read_entries(r, rows);
  read_hosts(r, rows);
}

void put_table(WireWriter& w, const std::vector<IdRange>& rows) {
  w.array(3);
  put_ranges(w, rows, [](const IdRange& row) -> const IdRange& { return row; });
}

void read_table(WireReader& r, std::vector<IdRange>& rows) {
  expect_columns(r, "ids", 3);
  read_ranges(r, rows, [](IdRange& row) -> IdRange& { return row; });
}

}  // namespace hq
