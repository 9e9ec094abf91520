// Values from msgpack in their client form, out of msgpack-cxx's object tree. A wrong type is an Error that
// names the place ("submit.task.resources[0].amount: expected a number"); missing keys leave what is there.
#pragma once

#include <algorithm>
#include <limits>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hq/base/bytes.h"
#include "hq/base/result.h"
#include "protocol/map_writer.h"
#include "protocol/wire_reader.h"

namespace hq {

// A value in the tree, and where it is. Parents and names outlive it: they are on the stack of whoever goes
// down the tree.
class MapValue {
 public:
  struct Failure {
    std::string text;  // empty = none; the first one sticks
    // A text of this size need not be copied out of the frame: it is left there for who moves the frame into
    // it.
    size_t large = SIZE_MAX;
    std::string* takes_frame = nullptr;
    std::string_view left_in_frame;
  };
  MapValue(const msgpack::object& object, const char* name, Failure& failure)
      : object_(&object), name_(name), failure_(&failure) {}
  [[nodiscard]] MapValue member(const char* name, const msgpack::object& object) const {
    return MapValue(object, name, 0, this);
  }
  [[nodiscard]] MapValue item(size_t index) const {
    return MapValue(object_->via.array.ptr[index], nullptr, index, this);
  }

  [[nodiscard]] bool ok() const { return failure_->text.empty(); }
  [[nodiscard]] bool is_nil() const { return object_->type == msgpack::type::NIL; }
  [[nodiscard]] bool is_list() const { return object_->type == msgpack::type::ARRAY; }
  [[nodiscard]] bool is_map() const { return object_->type == msgpack::type::MAP; }
  [[nodiscard]] bool is_text() const {
    return object_->type == msgpack::type::STR || object_->type == msgpack::type::BIN;
  }
  [[nodiscard]] bool is_uint() const { return object_->type == msgpack::type::POSITIVE_INTEGER; }
  [[nodiscard]] bool is_float() const {
    return object_->type == msgpack::type::FLOAT32 || object_->type == msgpack::type::FLOAT64;
  }
  // REQUIRES of the following: the value is of that type.
  [[nodiscard]] std::string_view text() const { return text_of(*object_); }
  [[nodiscard]] uint64_t uint() const { return object_->via.u64; }
  [[nodiscard]] double floating() const { return object_->via.f64; }
  [[nodiscard]] size_t size() const { return is_list() ? object_->via.array.size : object_->via.map.size; }
  [[nodiscard]] const msgpack::object_kv* pairs() const { return object_->via.map.ptr; }
  [[nodiscard]] const msgpack::object& object() const { return *object_; }

  // Of a map: the value of `name`, null when there is none. Keys are looked for from `hint` on, which is
  // moved behind what was found, since they mostly come in the order of the description.
  [[nodiscard]] const msgpack::object* find(std::string_view name, uint32_t& hint) const;
  [[nodiscard]] bool has(std::string_view name) const {
    uint32_t hint = 0;
    return find(name, hint) != nullptr;
  }

  // Copies the text, or leaves it for whoever may take the frame.
  void get_large_text(std::string& out) const;
  void fail(std::string_view problem) const;
  // True if it is a list (map, ...); else it has failed.
  [[nodiscard]] bool expect_list() const;
  [[nodiscard]] bool expect_map() const;
  [[nodiscard]] bool expect_text() const;

  static std::string_view text_of(const msgpack::object& object) {
    return object.type == msgpack::type::BIN ? std::string_view(object.via.bin.ptr, object.via.bin.size)
                                             : std::string_view(object.via.str.ptr, object.via.str.size);
  }

 private:
  MapValue(const msgpack::object& object, const char* name, size_t index, const MapValue* parent)
      : object_(&object), name_(name), index_(index), parent_(parent), failure_(parent->failure_) {}
  void append_path(std::string& out) const;

  const msgpack::object* object_;
  const char* name_;  // null for an item of a list
  size_t index_ = 0;
  const MapValue* parent_ = nullptr;
  Failure* failure_;
};

// Reads one msgpack value as a T in its map form; `name` begins the path of errors.
template <class T>
[[nodiscard]] Result<void> read_value(BytesView bytes, const char* name, T& out);

void get_unsigned(const MapValue& v, uint64_t max, uint64_t& out);
void get_signed(const MapValue& v, int64_t min, int64_t max, int64_t& out);
void get_enum(const MapValue& v, const std::string_view* names, size_t count, size_t& out);

void get(const MapValue& v, bool& out);
void get(const MapValue& v, double& out);
void get(const MapValue& v, std::string& out);
void get(const MapValue& v, Amount& out);
void get(const MapValue& v, Duration& out);
void get(const MapValue& v, WallTime& out);
void get(const MapValue& v, CrashLimit& out);
void get(const MapValue& v, IdArray& out);
void get(const MapValue& v, StdioSpec& out);
void get(const MapValue& v, Entries& out);
void get(const MapValue& v, ResourceKind& out);
void get(const MapValue& v, msg::Selection& out);
void get(const MapValue& v, std::vector<msg::TaskRow>& rows);  // task_table.cc
void get(const MapValue& v, std::vector<std::pair<std::string, std::string>>& env);
void get(const MapValue& v, std::vector<std::pair<WorkerId, std::string>>& hosts);
void get(const MapValue& v, std::array<uint64_t, kTaskStates>& counts);

template <std::unsigned_integral T>
void get(const MapValue& v, T& out) {
  uint64_t wide = out;
  get_unsigned(v, std::numeric_limits<T>::max(), wide);
  out = T(wide);
}
template <std::signed_integral T>
void get(const MapValue& v, T& out) {
  int64_t wide = out;
  get_signed(v, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), wide);
  out = T(wide);
}
template <class Tag, class Rep>
void get(const MapValue& v, Id<Tag, Rep>& out) {
  get(v, out.value);
}
template <NamedEnum E>
void get(const MapValue& v, E& out) {
  size_t index = size_t(out);
  get_enum(v, kEnumNames<E>.data(), kEnumNames<E>.size(), index);
  out = E(index);
}

template <class T>
void get(const MapValue& v, std::optional<T>& out);
template <class T>
void get(const MapValue& v, std::vector<T>& out);
template <class S>
requires std::is_class_v<S>
void get(const MapValue& v, S& s);

// Visitor of a description.
class FieldReader {
 public:
  static constexpr bool kDecodes = true;
  explicit FieldReader(const MapValue& map) : map_(map) {}
  template <class T>
  void field(const char* name, T& value) {
    if (!map_.ok()) return;
    if (const msgpack::object* found = map_.find(name, hint_)) get(map_.member(name, *found), value);
  }
  [[nodiscard]] const MapValue& map() const { return map_; }

 private:
  const MapValue& map_;
  uint32_t hint_ = 0;
};

template <class T>
void get(const MapValue& v, std::optional<T>& out) {
  out.reset();
  if (!v.is_nil()) get(v, out.emplace());
}

// Grows as items are read, so that a list of something else costs nothing.
template <class T>
void get(const MapValue& v, std::vector<T>& out) {
  out.clear();
  if (!v.expect_list()) return;
  out.reserve(std::min<size_t>(v.size(), 4096));
  for (size_t i = 0; i < v.size() && v.ok(); ++i) get(v.item(i), out.emplace_back());
}

template <class S>
requires std::is_class_v<S>
void get(const MapValue& v, S& s) {
  if (!v.expect_map()) return;
  FieldReader fields(v);
  describe(fields, s);
}

// The tree of one frame, after its structure was checked: no count and no depth can hurt. Strings point into
// the frame.
class MapTree {
 public:
  [[nodiscard]] static Result<MapTree> of(BytesView bytes);
  [[nodiscard]] const msgpack::object& root() const { return handle_.get(); }

 private:
  explicit MapTree(msgpack::object_handle handle) : handle_(std::move(handle)) {}
  msgpack::object_handle handle_;
};

template <class T>
Result<void> read_value(BytesView bytes, const char* name, T& out) {
  Result<MapTree> tree = MapTree::of(bytes);
  if (!tree) return std::move(tree.error());
  MapValue::Failure failure;
  get(MapValue(tree->root(), name, failure), out);
  if (!failure.text.empty()) return Error(std::move(failure.text));
  return {};
}

// A value in map form inside a frame. Its Error is the message's.
template <class T>
Result<void> read_map(WireReader& r, const char* field, T& out) {
  const BytesView bytes = r.value(field);
  if (!r.ok()) return {};
  return read_value(bytes, field, out);
}

}  // namespace hq
