// Reads a message whose keys come in the order of its description, as our own writer puts them, straight from
// the bytes; the tree of map_reader.h would take most of the time of a long answer. Whatever is different is
// a failure here and no error: the frame is then read again by way of the tree, which can do everything.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "protocol/map_writer.h"
#include "protocol/wire_reader.h"

namespace hq {

// Visitor of a description.
class InOrderReader {
 public:
  static constexpr bool kDecodes = true;
  explicit InOrderReader(WireReader& reader) : reader_(reader) {}

  template <class T>
  void field(const char* name, T& value) {
    if (expect_key(name)) read(value);
  }
  [[nodiscard]] bool expect_key(std::string_view name) {
    if (reader_.text("") != name) reader_.fail("", "another key");
    return reader_.ok();
  }

 private:
  void read(bool& out) { out = reader_.boolean(""); }
  template <std::unsigned_integral T>
  void read(T& out) {
    out = T(reader_.uint("", std::numeric_limits<T>::max()));
  }
  template <class Tag, class Rep>
  void read(Id<Tag, Rep>& out) {
    read(out.value);
  }
  void read(std::string& out) { out = reader_.text(""); }
  void read(std::array<uint64_t, kTaskStates>& counts) {
    if (reader_.map("") != counts.size()) return reader_.fail("", "another number of keys");
    for (size_t i = 0; i < counts.size() && expect_key(kEnumNames<TaskState>[i]); ++i) read(counts[i]);
  }
  template <class T>
  void read(std::optional<T>& out) {
    out.reset();
    if (!reader_.take_nil()) read(out.emplace());
  }
  template <class T>
  void read(std::vector<T>& out) {
    const uint32_t count = reader_.array("");
    out.reserve(std::min<size_t>(count, 4096));
    for (uint32_t i = 0; i < count && reader_.ok(); ++i) read(out.emplace_back());
  }
  template <class S>
  requires std::is_class_v<S>
  void read(S& s) {
    if (reader_.map("") != field_count(s)) return reader_.fail("", "another number of keys");
    describe(*this, s);
  }

  WireReader& reader_;
};

}  // namespace hq
