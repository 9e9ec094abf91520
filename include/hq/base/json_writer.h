// A JSON document written piece by piece, in the layout of serde_json: pretty (two blanks, one item per line,
// `[]` and `{}` for empty ones) or compact (no blanks). Memory is one buffer, whatever the size of the
// document.
//
// REQUIRES: calls form exactly one document; within an object each value follows a key; keys of one object
// come in ascending byte order, as readers of the original are used to (asserted). Text that is not UTF-8 is
// written with U+FFFD in place of what is broken.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hq {

class JsonWriter {
 public:
  enum class Layout { kPretty, kCompact };
  // Gets each full buffer, and the rest at finish().
  using Flush = std::function<void(std::string_view)>;

  JsonWriter(Layout layout, Flush flush);

  void begin_object() { begin(false); }
  void end_object() { end(false); }
  void begin_array() { begin(true); }
  void end_array() { end(true); }
  void key(std::string_view name);

  void null();
  void value(bool b);
  void value(int32_t n) { value(static_cast<int64_t>(n)); }
  void value(uint32_t n) { value(static_cast<uint64_t>(n)); }
  void value(int64_t n);
  void value(uint64_t n);
  void value(double d);  // shortest text that reads back as the same number; null when not finite
  void value(float f);
  void value(std::string_view text);
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(const char* text) { value(std::string_view(text)); }
  // nullopt is written as null.
  template <class T>
  void value(const std::optional<T>& maybe) {
    maybe ? value(*maybe) : null();
  }
  template <class T>
  void member(std::string_view name, const T& content) {
    key(name);
    value(content);
  }
  // A finished JSON text, put in as it is.
  void raw(std::string_view json);

  // Hands the rest over. REQUIRES: the document is complete.
  void finish();

 private:
  struct Level {
    bool array = false;
    bool empty = true;
    std::string last_key;
  };

  void begin(bool array);
  void end(bool array);
  void before_value();
  void new_line();
  void append_string(std::string_view text);
  void append_number(std::string_view digits);
  void flush_if_full();

  Layout layout_;
  Flush flush_;
  std::string buffer_;
  std::vector<Level> levels_;  // never shrinks, so that keys reuse their memory
  size_t depth_ = 0;
  bool after_key_ = false;
  bool complete_ = false;
};

}  // namespace hq
