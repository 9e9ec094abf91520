#include "journal/columns.h"

#include <cmath>
#include <cstring>

#include "hq/base/assert.h"

namespace hq {

namespace {

// How a column of more than one value is written.
enum Form : uint8_t {
  kPlain,      // each value
  kRuns,       // value, how many
  kDeltas,     // each value's difference to the one before
  kDeltaRuns,  // difference, how many
};
constexpr int kForms = 4;

template <class F>
void for_each_step(std::span<const uint64_t> column, bool deltas, F&& f) {
  uint64_t before = 0;
  for (uint64_t v : column) {
    f(deltas ? fold_sign(int64_t(v - before)) : v);
    before = v;
  }
}

template <class F>
void for_each_run(std::span<const uint64_t> column, bool deltas, F&& f) {
  uint64_t value = 0;
  uint64_t length = 0;
  for_each_step(column, deltas, [&](uint64_t v) {
    if (length > 0 && v == value) {
      ++length;
      return;
    }
    if (length > 0) f(value, length);
    value = v;
    length = 1;
  });
  if (length > 0) f(value, length);
}

Form shortest_form(std::span<const uint64_t> column) {
  size_t sizes[kForms] = {};
  for (bool deltas : {false, true}) {
    for_each_step(column, deltas, [&](uint64_t v) { sizes[deltas ? kDeltas : kPlain] += varint_size(v); });
    for_each_run(column, deltas, [&](uint64_t v, uint64_t n) {
      sizes[deltas ? kDeltaRuns : kRuns] += varint_size(v) + varint_size(n);
    });
  }
  return Form(std::min_element(sizes, sizes + kForms) - sizes);
}

void get_runs(ByteReader& in, size_t rows, bool deltas, std::vector<uint64_t>& out) {
  uint64_t value = 0;
  while (out.size() < rows && in.ok()) {
    const uint64_t v = in.varint();
    const uint64_t length = in.varint();
    if (length == 0 || length > rows - out.size()) return in.fail();
    if (!deltas) {
      out.insert(out.end(), length, v);
      continue;
    }
    const auto step = uint64_t(unfold_sign(v));
    for (uint64_t i = 0; i < length; ++i) out.push_back(value += step);
  }
}

}  // namespace

void put_ints(Bytes& out, std::span<const uint64_t> column) {
  if (column.empty()) return;
  if (column.size() == 1) return put_varint(out, column[0]);
  const Form form = shortest_form(column);
  out.push_back(char(form));
  const bool deltas = form == kDeltas || form == kDeltaRuns;
  if (form == kPlain || form == kDeltas) {
    for_each_step(column, deltas, [&](uint64_t v) { put_varint(out, v); });
  } else {
    for_each_run(column, deltas, [&](uint64_t v, uint64_t n) {
      put_varint(out, v);
      put_varint(out, n);
    });
  }
}

void get_ints(ByteReader& in, size_t rows, std::vector<uint64_t>& out) {
  out.clear();
  if (rows == 0) return;
  if (rows == 1) {
    out.push_back(in.varint());
  } else {
    const BytesView form = in.bytes(1);
    if (form.empty() || uint8_t(form[0]) >= kForms) return in.fail();
    const bool deltas = form[0] == kDeltas || form[0] == kDeltaRuns;
    if (form[0] == kRuns || form[0] == kDeltaRuns) {
      get_runs(in, rows, deltas, out);
    } else {
      if (rows > in.left()) return in.fail();
      out.reserve(rows);
      uint64_t value = 0;
      for (size_t i = 0; i < rows; ++i) {
        const uint64_t v = in.varint();
        out.push_back(deltas ? value += uint64_t(unfold_sign(v)) : v);
      }
    }
  }
  if (!in.ok()) out.clear();
}

// The lowest bit says which of the two it is.
uint64_t pack_seconds(float seconds) {
  constexpr double kMost = 1e15;
  const double micros = std::round(double(seconds) * 1e6);
  if (micros >= 0 && micros < kMost) {
    const uint64_t packed = uint64_t(micros) << 1;
    const float back = unpack_seconds(packed);
    if (std::memcmp(&back, &seconds, sizeof back) == 0) return packed;
  }
  return uint64_t{std::bit_cast<uint32_t>(seconds)} << 1 | 1;
}

float unpack_seconds(uint64_t packed) {
  if ((packed & 1) != 0) return std::bit_cast<float>(uint32_t(packed >> 1));
  return float(double(packed >> 1) * 1e-6);
}

// Workers tell how long ago something was, as seconds in a float; so most moments are found again from whole
// microseconds.
uint64_t pack_before(WallTime base, WallTime at) {
  const int64_t ns = (base - at).count();
  if (ns >= 0) {
    const uint64_t packed = (uint64_t(ns) + 500) / 1000 << 1;
    if (unpack_before(base, packed) == at) return packed;
  }
  // The lowest bit is taken, so what is more than 73 years off (nonsense of a peer) comes nearer.
  constexpr int64_t kMost = int64_t{1} << 61;
  return fold_sign(std::clamp(ns, -kMost, kMost)) << 1 | 1;
}

WallTime unpack_before(WallTime base, uint64_t packed) {
  if ((packed & 1) != 0) return {int64_t(uint64_t(base.ns) - uint64_t(unfold_sign(packed >> 1)))};
  const float seconds = float(double(packed >> 1) * 1e-6);
  const double ns = double{seconds} * 1e9;
  constexpr double kMost = 9e18;
  return {int64_t(uint64_t(base.ns) - uint64_t(int64_t(std::min(ns, kMost))))};
}

bool SectionWriter::close_column() {
  const unsigned column = column_++;
  HQ_ASSERT(column < 64);
  if (std::all_of(scratch_.begin(), scratch_.end(), [](uint64_t v) { return v == 0; })) return false;
  mask_ |= uint64_t{1} << column;
  put_ints(columns_, scratch_);
  return true;
}

bool SectionReader::open_column(size_t rows) {
  const unsigned column = column_++;
  scratch_.clear();
  if (!in_.ok() || (mask_ >> column & 1) == 0) return false;
  get_ints(in_, rows, scratch_);
  return in_.ok();
}

}  // namespace hq
