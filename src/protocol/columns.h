// The tables of worker messages (docs/protocol.md, Columns). A table of n rows is a list of columns; a column
// is a list of n integers, or empty when all n are the column's default. Seconds travel as whole
// microseconds: shorter than floats, and never NaN.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "hq/base/assert.h"
#include "hq/protocol/limits.h"
#include "protocol/wire_reader.h"
#include "protocol/wire_writer.h"

namespace hq {

inline constexpr uint64_t kMaxMicros = 9'000'000'000'000'000'000;

// What is no duration (negative, NaN) becomes 0.
inline uint64_t to_micros(float seconds) {
  const double micros = double(seconds) * 1e6;
  return micros > 0 ? uint64_t(std::min(micros + 0.5, double(kMaxMicros))) : 0;
}

inline float from_micros(uint64_t micros) {
  return float(double(micros) * 1e-6);
}

// value(row) gives an unsigned integer.
template <class Row, class Value>
void put_column(WireWriter& w, const std::vector<Row>& rows, uint64_t usual, Value value) {
  const auto is_usual = [&](const Row& row) { return value(row) == usual; };
  if (std::all_of(rows.begin(), rows.end(), is_usual)) return w.array(0);
  w.array(rows.size());
  for (const Row& row : rows) w.uint(value(row));
}

// Calls set(row, value) for each row; not at all when every row has the default.
template <class Row, class Set>
void read_column(WireReader& r, const char* field, std::vector<Row>& rows, uint64_t max, Set set) {
  const uint32_t count = r.array(field);
  if (count == 0) return;
  if (count != rows.size()) return r.fail(field, "a column of another length");
  for (Row& row : rows) set(row, r.uint(field, max));
}

// Rows of a new table, by the length of its first column. REQUIRES: the reader stands before that column.
inline uint32_t read_row_count(WireReader& r, const char* field) {
  const uint32_t count = WireReader(r).array(field);
  if (count <= limits::kMaxRows) return count;
  r.fail(field, "too many rows");
  return 0;
}

// A column that mostly repeats: [value, how many, ...].
template <class Row, class Same, class Put>
void put_runs(WireWriter& w, const std::vector<Row>& rows, size_t width, Same same, Put put_key) {
  size_t runs = 0;
  for (size_t i = 0; i < rows.size(); ++i) runs += (i == 0 || !same(rows[i - 1], rows[i])) ? 1 : 0;
  w.array(runs * (width + 1));
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin + 1;
    while (end < rows.size() && same(rows[begin], rows[end])) ++end;
    put_key(rows[begin]);
    w.uint(end - begin);
    begin = end;
  }
}

// read_key() reads one run's value; set(row, value) is called for its rows. The runs must cover all rows.
template <class Row, class ReadKey, class Set>
void read_runs(WireReader& r, const char* field, std::vector<Row>& rows, size_t width, ReadKey read_key,
               Set set) {
  const uint32_t count = r.array(field);
  if (count % (width + 1) != 0) return r.fail(field, "not a list of runs");
  size_t row = 0;
  for (uint32_t i = 0; i < count && r.ok(); i += uint32_t(width + 1)) {
    const auto key = read_key();
    const uint64_t length = r.uint(field, rows.size() - row);
    for (uint64_t k = 0; k < length; ++k) set(rows[row++], key);
  }
  if (row != rows.size()) r.fail(field, "runs that do not cover the rows");
}

}  // namespace hq
