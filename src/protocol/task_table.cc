// Task rows as a table in columns: {"id": [..], "state": [..], ...}, one list per column, all of one length.
// A column in which every value is the default is left out, but for "id" and "state".
#include <algorithm>
#include <limits>

#include "hq/protocol/limits.h"
#include "protocol/map_reader.h"
#include "protocol/map_writer.h"

namespace hq {

namespace {

using msg::TaskRow;

// A failure and the row it belongs to: few rows have one.
struct RowFailure {
  uint32_t row = 0;
  Failure failure;
};

template <class V, Is<RowFailure> S>
void describe(V& v, S& s) {
  v.field("row", s.row);
  v.field("kind", s.failure.kind);
  v.field("code", s.failure.code);
  v.field("text", s.failure.text);
}

// --- one column's cells ------------------------------------------------------------------------------------

void put_workers(WireWriter& w, const std::vector<WorkerId>& workers) {
  if (workers.empty()) return w.nil();
  if (workers.size() == 1) return w.uint(workers[0].value);
  put(w, workers);
}

void get_workers(const MapValue& v, std::vector<WorkerId>& workers) {
  if (v.is_nil()) return;
  if (v.is_list()) return get(v, workers);
  get(v, workers.emplace_back());
}

void get_seconds(const MapValue& v, float& out) {
  double seconds = 0;
  get(v, seconds);
  if (!(seconds >= 0 && seconds <= double(std::numeric_limits<float>::max())))
    return v.fail("expected a number of seconds, 0 or more");
  out = float(seconds);
}

// The names of the columns of TaskUsage; a cell is nil where a row has none.
template <class Member>
struct UsageColumn {
  const char* name;
  Member TaskUsage::*member;
};
constexpr UsageColumn<float> kSeconds[] = {
    {"ran", &TaskUsage::ran_s}, {"user", &TaskUsage::user_s}, {"system", &TaskUsage::system_s}};
constexpr UsageColumn<uint32_t> kPeak{"peak_kib", &TaskUsage::peak_kib};

// --- writing -----------------------------------------------------------------------------------------------

struct Column {
  const char* name;
  bool (*is_default)(const TaskRow& row);  // null: the column is always there
  void (*put_cell)(WireWriter& w, const TaskRow& row);
};

template <size_t I>
void put_seconds_cell(WireWriter& w, const TaskRow& row) {
  if (row.usage) {
    w.f32((*row.usage).*(kSeconds[I].member));
  } else {
    w.nil();
  }
}

bool has_no_usage(const TaskRow& row) {
  return !row.usage;
}

constexpr Column kColumns[] = {
    {"id", nullptr, [](WireWriter& w, const TaskRow& r) { w.uint(r.ids.first); }},
    {"last", [](const TaskRow& r) { return r.ids.last == r.ids.first; },
     [](WireWriter& w, const TaskRow& r) { w.uint(r.ids.last); }},
    {"step", [](const TaskRow& r) { return r.ids.step == 1; },
     [](WireWriter& w, const TaskRow& r) { w.uint(r.ids.step); }},
    {"state", nullptr, [](WireWriter& w, const TaskRow& r) { put(w, r.state); }},
    {"instance", [](const TaskRow& r) { return r.instance.value == 0; },
     [](WireWriter& w, const TaskRow& r) { put(w, r.instance); }},
    {"variant", [](const TaskRow& r) { return r.variant == 0; },
     [](WireWriter& w, const TaskRow& r) { w.uint(r.variant); }},
    {"start", [](const TaskRow& r) { return !r.started; },
     [](WireWriter& w, const TaskRow& r) { r.started ? put(w, r.start) : w.nil(); }},
    {"end", [](const TaskRow& r) { return !r.end; }, [](WireWriter& w, const TaskRow& r) { put(w, r.end); }},
    {"workers", [](const TaskRow& r) { return r.workers.empty(); },
     [](WireWriter& w, const TaskRow& r) { put_workers(w, r.workers); }},
    {kSeconds[0].name, has_no_usage, put_seconds_cell<0>},
    {kSeconds[1].name, has_no_usage, put_seconds_cell<1>},
    {kSeconds[2].name, has_no_usage, put_seconds_cell<2>},
    {kPeak.name, has_no_usage,
     [](WireWriter& w, const TaskRow& r) { r.usage ? w.uint(r.usage->peak_kib) : w.nil(); }},
    {"exit_code", [](const TaskRow& r) { return r.exit_code == 0; },
     [](WireWriter& w, const TaskRow& r) { w.sint(r.exit_code); }},
    {"submit", [](const TaskRow& r) { return r.submit == 0; },
     [](WireWriter& w, const TaskRow& r) { w.uint(r.submit); }},
};

// --- reading -----------------------------------------------------------------------------------------------

// Calls cell(item, row) for each row of the column, if it is there.
template <class Cell>
void read_column(const MapValue& table, uint32_t& hint, const char* name, std::vector<TaskRow>& rows,
                 Cell cell) {
  if (!table.ok()) return;
  const msgpack::object* found = table.find(name, hint);
  if (found == nullptr) return;
  const MapValue column = table.member(name, *found);
  if (!column.expect_list()) return;
  if (column.size() != rows.size()) return column.fail("not as long as 'id'");
  for (size_t i = 0; i < rows.size() && column.ok(); ++i) cell(column.item(i), rows[i]);
}

void read_usage(const MapValue& table, uint32_t& hint, std::vector<TaskRow>& rows) {
  const auto usage_of = [](TaskRow& row) -> TaskUsage& {
    return row.usage ? *row.usage : row.usage.emplace();
  };
  for (const auto& seconds : kSeconds) {
    read_column(table, hint, seconds.name, rows, [&](const MapValue& v, TaskRow& row) {
      if (!v.is_nil()) get_seconds(v, usage_of(row).*(seconds.member));
    });
  }
  read_column(table, hint, kPeak.name, rows, [&](const MapValue& v, TaskRow& row) {
    if (!v.is_nil()) get(v, usage_of(row).peak_kib);
  });
}

void read_ids(const MapValue& table, uint32_t& hint, std::vector<TaskRow>& rows) {
  const auto id = [](const MapValue& v, TaskRow& row) {
    get(v, row.ids.first);
    row.ids.last = row.ids.first;
  };
  read_column(table, hint, "id", rows, id);
  read_column(table, hint, "last", rows, [](const MapValue& v, TaskRow& row) { get(v, row.ids.last); });
  read_column(table, hint, "step", rows, [](const MapValue& v, TaskRow& row) { get(v, row.ids.step); });
  const auto is_range = [](const TaskRow& row) {
    const IdRange& r = row.ids;
    return r.first <= r.last && r.step > 0 && (r.last - r.first) % r.step == 0;
  };
  if (!std::all_of(rows.begin(), rows.end(), is_range)) table.fail("'id', 'last' and 'step' are no ranges");
}

void read_times(const MapValue& table, uint32_t& hint, std::vector<TaskRow>& rows) {
  read_column(table, hint, "start", rows, [](const MapValue& v, TaskRow& row) {
    if (v.is_nil()) return;
    get(v, row.start);
    row.started = true;
  });
  read_column(table, hint, "end", rows, [](const MapValue& v, TaskRow& row) { get(v, row.end); });
}

void read_failures(const MapValue& table, uint32_t& hint, std::vector<TaskRow>& rows) {
  const msgpack::object* found = table.find("failures", hint);
  if (found == nullptr || !table.ok()) return;
  const MapValue list = table.member("failures", *found);
  std::vector<RowFailure> failures;
  get(list, failures);
  for (RowFailure& item : failures) {
    if (item.row >= rows.size()) return list.fail("no such row");
    rows[item.row].failure = std::move(item.failure);
  }
}

}  // namespace

void put(WireWriter& w, const std::vector<TaskRow>& rows) {
  bool used[std::size(kColumns)];
  size_t columns = 1;  // failures
  for (size_t i = 0; i < std::size(kColumns); ++i) {
    const auto is_default = kColumns[i].is_default;
    used[i] = is_default == nullptr || !std::all_of(rows.begin(), rows.end(), is_default);
    columns += used[i] ? 1 : 0;
  }
  w.map(columns);
  for (size_t i = 0; i < std::size(kColumns); ++i) {
    if (!used[i]) continue;
    w.str(kColumns[i].name);
    w.array(rows.size());
    for (const TaskRow& row : rows) kColumns[i].put_cell(w, row);
  }
  std::vector<RowFailure> failures;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].failure) failures.push_back({uint32_t(i), *rows[i].failure});
  }
  w.str("failures");
  put(w, failures);
}

void get(const MapValue& table, std::vector<TaskRow>& rows) {
  rows.clear();
  if (!table.expect_map()) return;
  uint32_t hint = 0;
  const msgpack::object* ids = table.find("id", hint);
  if (ids == nullptr) return table.fail("needs 'id'");
  if (ids->type != msgpack::type::ARRAY) return table.member("id", *ids).fail("expected a list");
  if (ids->via.array.size > limits::kMaxRows) return table.fail("too many rows");
  rows.resize(ids->via.array.size);
  hint = 0;
  read_ids(table, hint, rows);
  read_column(table, hint, "state", rows, [](const MapValue& v, TaskRow& row) { get(v, row.state); });
  read_column(table, hint, "instance", rows, [](const MapValue& v, TaskRow& row) { get(v, row.instance); });
  read_column(table, hint, "variant", rows, [](const MapValue& v, TaskRow& row) { get(v, row.variant); });
  read_times(table, hint, rows);
  const auto workers = [](const MapValue& v, TaskRow& row) { get_workers(v, row.workers); };
  read_column(table, hint, "workers", rows, workers);
  read_usage(table, hint, rows);
  read_column(table, hint, "exit_code", rows, [](const MapValue& v, TaskRow& row) { get(v, row.exit_code); });
  read_column(table, hint, "submit", rows, [](const MapValue& v, TaskRow& row) { get(v, row.submit); });
  read_failures(table, hint, rows);
}

}  // namespace hq
