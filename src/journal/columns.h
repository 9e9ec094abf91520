// Columns of integers, as the journal keeps them (docs/journal.md, Columns): each in the shortest of four
// forms, and sections of columns that older and newer programs can read.
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "hq/base/clock.h"
#include "hq/core/id_ranges.h"
#include "hq/core/ids.h"
#include "journal/varint.h"

namespace hq {

// More rows than this are in no table; so a few bytes cannot ask for all memory.
inline constexpr uint64_t kMaxTableRows = uint64_t{1} << 26;

void put_ints(Bytes& out, std::span<const uint64_t> column);
// Exactly `rows` values; on a failure of the reader `out` is empty.
void get_ints(ByteReader& in, size_t rows, std::vector<uint64_t>& out);

// Seconds as whole microseconds while that is exact, else the bits of the float.
[[nodiscard]] uint64_t pack_seconds(float seconds);
[[nodiscard]] float unpack_seconds(uint64_t packed);
// A moment as the time by which it lies before `base`; likewise.
[[nodiscard]] uint64_t pack_before(WallTime base, WallTime at);
[[nodiscard]] WallTime unpack_before(WallTime base, uint64_t packed);

// The highest value of an enum; given where the columns are described.
template <class E>
inline constexpr uint64_t kLast = 0;

// A section holds the columns of one kind of event, in a fixed order. Columns whose values are all the usual
// one are left out (a mask says which are there). Both visitors take the same calls, so that one description
// per kind (event_columns.h) reads and writes; a field that is added later gets a column at the end: older
// files leave it at its default, older programs skip it.
class SectionWriter {
 public:
  static constexpr bool kReads = false;
  [[nodiscard]] static bool ok() { return true; }

  template <class Row, class Field>
  void ints(const std::vector<Row*>& rows, Field field) {
    scratch_.clear();
    for (Row* row : rows) scratch_.push_back(to_int(field(*row)));
    close_column();
  }
  // Likewise; `usual` (not 0) is what is left out.
  template <class Row, class Field>
  void usual_ints(const std::vector<Row*>& rows, uint64_t usual, Field field) {
    scratch_.clear();
    for (Row* row : rows) scratch_.push_back(to_int(field(*row)) ^ usual);
    close_column();
  }
  template <class Row, class Field>
  void optional_ints(const std::vector<Row*>& rows, Field field) {
    scratch_.clear();
    for (Row* row : rows) scratch_.push_back(field(*row) ? to_int(*field(*row)) + 1 : 0);
    close_column();
  }
  // Two columns: members beyond the first, and the distance between two.
  template <class Row, class Field>
  void ranges(const std::vector<Row*>& rows, Field field) {
    scratch_.clear();
    for (Row* row : rows) scratch_.push_back(field(*row).count() - 1);
    close_column();
    scratch_.clear();
    for (Row* row : rows) scratch_.push_back(field(*row).step - 1);
    close_column();
  }
  template <class Row, class Field>
  void seconds(const std::vector<Row*>& rows, Field field) {
    scratch_.clear();
    for (Row* row : rows) scratch_.push_back(pack_seconds(field(*row)));
    close_column();
  }
  template <class Row, class Field>
  void moments(const std::vector<Row*>& rows, const std::vector<WallTime>& bases, Field field) {
    scratch_.clear();
    for (size_t i = 0; i < rows.size(); ++i) scratch_.push_back(pack_before(bases[i], field(*rows[i])));
    close_column();
  }
  template <class Row, class Field>
  void texts(const std::vector<Row*>& rows, Field field) {
    scratch_.clear();
    for (Row* row : rows) scratch_.push_back(field(*row).size());
    if (!close_column()) return;
    for (Row* row : rows) columns_.append(field(*row));
  }
  // Byte strings that stand for something else: encode(row) gives them, decode(row, bytes) takes them back
  // and says whether they make sense.
  template <class Row, class Encode, class Decode>
  void blobs(const std::vector<Row*>& rows, Encode encode, Decode) {
    std::vector<Bytes> encoded;
    std::vector<Bytes*> pointers;
    for (Row* row : rows) encoded.push_back(encode(*row));
    for (Bytes& bytes : encoded) pointers.push_back(&bytes);
    texts(pointers, [](Bytes& bytes) -> Bytes& { return bytes; });
  }
  [[nodiscard]] Bytes take() {
    Bytes out;
    put_varint(out, mask_);
    return out += columns_;
  }

 private:
  template <class T>
  static uint64_t to_int(const T& v) {
    if constexpr (std::is_enum_v<T>) {
      return uint64_t(v);
    } else if constexpr (std::is_same_v<T, Duration>) {
      return fold_sign(v.count());
    } else if constexpr (std::is_signed_v<T>) {
      return fold_sign(v);
    } else if constexpr (std::is_integral_v<T>) {
      return uint64_t(v);
    } else {
      return v.value;
    }
  }
  // True if the column is there.
  bool close_column();

  std::vector<uint64_t> scratch_;
  uint64_t mask_ = 0;
  unsigned column_ = 0;
  Bytes columns_;
};

class SectionReader {
 public:
  static constexpr bool kReads = true;

  explicit SectionReader(BytesView section) : in_(section), mask_(in_.varint()) {}
  [[nodiscard]] bool ok() const { return in_.ok(); }
  void fail() { in_.fail(); }

  template <class Row, class Field>
  void ints(const std::vector<Row*>& rows, Field field) {
    if (!open_column(rows.size())) return;
    for (size_t i = 0; i < scratch_.size(); ++i) from_int(scratch_[i], field(*rows[i]));
  }
  template <class Row, class Field>
  void usual_ints(const std::vector<Row*>& rows, uint64_t usual, Field field) {
    if (!open_column(rows.size())) {
      for (Row* row : rows) from_int(usual, field(*row));
    }
    for (size_t i = 0; i < scratch_.size(); ++i) from_int(scratch_[i] ^ usual, field(*rows[i]));
  }
  template <class Row, class Field>
  void optional_ints(const std::vector<Row*>& rows, Field field) {
    if (!open_column(rows.size())) return;
    for (size_t i = 0; i < scratch_.size(); ++i) {
      if (scratch_[i] > 0) from_int(scratch_[i] - 1, field(*rows[i]).emplace());
    }
  }
  // The first member has been read before.
  template <class Row, class Field>
  void ranges(const std::vector<Row*>& rows, Field field) {
    std::vector<uint64_t> more(rows.size());
    if (open_column(rows.size())) more = scratch_;
    const bool stepped = open_column(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      IdRange& range = field(*rows[i]);
      const uint64_t step = stepped ? scratch_[i] + 1 : 1;
      const uint64_t room = UINT32_MAX - range.first;
      if (step == 0 || step > UINT32_MAX || more[i] > room / step) return in_.fail();
      range.step = uint32_t(step);
      range.last = uint32_t(range.first + more[i] * step);
    }
  }
  template <class Row, class Field>
  void seconds(const std::vector<Row*>& rows, Field field) {
    if (!open_column(rows.size())) return;
    for (size_t i = 0; i < scratch_.size(); ++i) field(*rows[i]) = unpack_seconds(scratch_[i]);
  }
  template <class Row, class Field>
  void moments(const std::vector<Row*>& rows, const std::vector<WallTime>& bases, Field field) {
    if (!open_column(rows.size())) {
      for (size_t i = 0; i < rows.size(); ++i) field(*rows[i]) = bases[i];
      return;
    }
    for (size_t i = 0; i < scratch_.size(); ++i) field(*rows[i]) = unpack_before(bases[i], scratch_[i]);
  }
  template <class Row, class Field>
  void texts(const std::vector<Row*>& rows, Field field) {
    if (!open_column(rows.size())) return;
    for (size_t i = 0; i < scratch_.size() && in_.ok(); ++i) field(*rows[i]) = Bytes(in_.bytes(scratch_[i]));
  }
  template <class Row, class Encode, class Decode>
  void blobs(const std::vector<Row*>& rows, Encode, Decode decode) {
    if (!open_column(rows.size())) return in_.fail();
    for (size_t i = 0; i < scratch_.size(); ++i) {
      const BytesView bytes = in_.bytes(scratch_[i]);
      if (!in_.ok() || !decode(*rows[i], bytes)) return in_.fail();
    }
  }

 private:
  template <class T>
  void from_int(uint64_t v, T& out) {
    if constexpr (std::is_same_v<T, bool>) {
      check(v, 1);
      out = v != 0;
    } else if constexpr (std::is_enum_v<T>) {
      check(v, kLast<T>);
      out = T(v);
    } else if constexpr (std::is_same_v<T, Duration>) {
      out = Duration(unfold_sign(v));
    } else if constexpr (std::is_signed_v<T>) {
      const int64_t wide = unfold_sign(v);
      if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max()) in_.fail();
      out = T(wide);
    } else if constexpr (std::is_integral_v<T>) {
      check(v, std::numeric_limits<T>::max());
      out = T(v);
    } else {
      check(v, std::numeric_limits<typename T::rep>::max());
      out.value = typename T::rep(v);
    }
  }
  void check(uint64_t v, uint64_t max) {
    if (v > max) in_.fail();
  }
  bool open_column(size_t rows);

 private:
  ByteReader in_;
  uint64_t mask_;
  unsigned column_ = 0;
  std::vector<uint64_t> scratch_;
};

}  // namespace hq
