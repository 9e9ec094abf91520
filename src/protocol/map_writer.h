// Values to msgpack in their client form (maps with string keys). Structs are written by their description
// (describe_*.h); what has a form of its own is here and, for the way back, in map_reader.h. Every key of a
// description is written, an absent optional as nil.
#pragma once

#include <array>
#include <concepts>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hq/core/task.h"
#include "hq/protocol/client_messages.h"
#include "protocol/enum_names.h"
#include "protocol/wire_writer.h"

namespace hq {

// For descriptions: S is T, or const T when it is only looked at.
template <class S, class T>
concept Is = std::same_as<std::remove_const_t<S>, T>;

template <class E>
concept NamedEnum = std::is_enum_v<E> &&(kEnumNames<E>.size() > 0);

inline void put(WireWriter& w, bool v) {
  w.boolean(v);
}
template <std::unsigned_integral T>
void put(WireWriter& w, T v) {
  w.uint(v);
}
template <std::signed_integral T>
void put(WireWriter& w, T v) {
  w.sint(v);
}
inline void put(WireWriter& w, double v) {
  w.f64(v);
}
inline void put(WireWriter& w, const std::string& v) {
  w.text(v);
}
template <class Tag, class Rep>
void put(WireWriter& w, Id<Tag, Rep> v) {
  w.uint(v.value);
}
template <NamedEnum E>
void put(WireWriter& w, E v) {
  w.str(kEnumNames<E>[size_t(v)]);
}

// Fractional amounts (scaled) below this go as floats and come back exactly.
inline constexpr double kExactAmount = 0x1p50;
void put(WireWriter& w, Amount v);
void put(WireWriter& w, Duration v);
void put(WireWriter& w, WallTime v);
void put(WireWriter& w, IdRange v);
void put(WireWriter& w, CrashLimit v);
void put(WireWriter& w, const IdArray& v);
void put(WireWriter& w, const StdioSpec& v);
void put(WireWriter& w, const Entries& v);
void put(WireWriter& w, const ResourceKind& v);
void put(WireWriter& w, const msg::Selection& v);
void put(WireWriter& w, const std::vector<msg::TaskRow>& rows);  // task_table.cc
void put(WireWriter& w, const std::vector<std::pair<std::string, std::string>>& env);
void put(WireWriter& w, const std::vector<std::pair<WorkerId, std::string>>& hosts);
void put(WireWriter& w, const std::array<uint64_t, kTaskStates>& counts);

template <class T>
void put(WireWriter& w, const std::optional<T>& v);
template <class T>
void put(WireWriter& w, const std::vector<T>& v);
template <class S>
requires std::is_class_v<S>
void put(WireWriter& w, const S& s);

// Visitors of a description.
class FieldCounter {
 public:
  static constexpr bool kDecodes = false;
  template <class T>
  void field(const char*, const T&) {
    ++count;
  }
  size_t count = 0;
};

class FieldWriter {
 public:
  static constexpr bool kDecodes = false;
  explicit FieldWriter(WireWriter& writer) : writer_(writer) {}
  template <class T>
  void field(const char* name, const T& value) {
    writer_.str(name);
    put(writer_, value);
  }

 private:
  WireWriter& writer_;
};

template <class S>
size_t field_count(const S& s) {
  FieldCounter counter;
  describe(counter, s);
  return counter.count;
}

template <class T>
void put(WireWriter& w, const std::optional<T>& v) {
  if (v) {
    put(w, *v);
  } else {
    w.nil();
  }
}

template <class T>
void put(WireWriter& w, const std::vector<T>& v) {
  w.array(v.size());
  for (const T& item : v) put(w, item);
}

template <class S>
requires std::is_class_v<S>
void put(WireWriter& w, const S& s) {
  w.map(field_count(s));
  FieldWriter fields(w);
  describe(fields, s);
}

}  // namespace hq
