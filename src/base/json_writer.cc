#include "hq/base/json_writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "hq/base/assert.h"

namespace hq {
namespace {

constexpr size_t kFlushBytes = 64 * 1024;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// 0 = written as it is, 1 = beginning or rest of a longer UTF-8 sequence, else the letter after the
// backslash.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (size_t i = 0; i < 0x20; ++i) table[i] = 'u';
  for (size_t i = 0x80; i < 256; ++i) table[i] = 1;
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

// Length of the valid UTF-8 sequence at the beginning of `text`, 0 if it is broken.
size_t utf8_length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies above U+10FFFF show in the second byte.
  unsigned char second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
      (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

// The layout of the ryu library: plain digits for decimal exponents from -5 to 16, else scientific.
template <class Float>
std::string float_text(Float f) {
  if (f == 0) return std::signbit(f) ? "-0.0" : "0.0";
  std::array<char, 40> buffer{};
  auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), f, std::chars_format::scientific).ptr;
  std::string_view text(buffer.data(), static_cast<size_t>(end - buffer.data()));
  std::string out;
  if (text.front() == '-') {
    out = "-";
    text.remove_prefix(1);
  }
  size_t e = text.find('e');
  int exponent = std::atoi(std::string(text.substr(e + 1)).c_str());
  std::string digits(1, text.front());
  if (e > 1) digits += text.substr(2, e - 2);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before the decimal point
  constexpr int kLargestPlain = sizeof(Float) == sizeof(float) ? 13 : 16;
  if (point > 0 && point <= kLargestPlain) {
    if (count <= point) return out + digits + std::string(static_cast<size_t>(point - count), '0') + ".0";
    return out + digits.substr(0, static_cast<size_t>(point)) + "." +
           digits.substr(static_cast<size_t>(point));
  }
  constexpr int kSmallestPlain = sizeof(Float) == sizeof(float) ? -6 : -5;
  if (point > kSmallestPlain && point <= 0) {
    return out + "0." + std::string(static_cast<size_t>(-point), '0') + digits;
  }
  out += digits.substr(0, 1);
  if (count > 1) out += "." + digits.substr(1);
  return out + "e" + std::to_string(exponent);
}

}  // namespace

JsonWriter::JsonWriter(Layout layout, Flush flush) : layout_(layout), flush_(std::move(flush)) {
  buffer_.reserve(kFlushBytes + kFlushBytes / 4);
}

void JsonWriter::flush_if_full() {
  if (buffer_.size() < kFlushBytes) return;
  flush_(buffer_);
  buffer_.clear();
}

void JsonWriter::new_line() {
  if (layout_ == Layout::kCompact) return;
  buffer_ += '\n';
  buffer_.append(2 * depth_, ' ');
}

void JsonWriter::before_value() {
  HQ_ASSERT(!complete_);
  if (depth_ == 0) {
    complete_ = true;
    return;
  }
  if (after_key_) {
    after_key_ = false;
    return;
  }
  Level& level = levels_[depth_ - 1];
  HQ_ASSERT(level.array);  // in an object a key comes first
  if (!level.empty) buffer_ += ',';
  level.empty = false;
  new_line();
  flush_if_full();
}

void JsonWriter::begin(bool array) {
  before_value();
  complete_ = false;
  buffer_ += array ? '[' : '{';
  if (levels_.size() == depth_) levels_.emplace_back();
  Level& level = levels_[depth_++];
  level.array = array;
  level.empty = true;
}

void JsonWriter::end(bool array) {
  HQ_ASSERT(depth_ > 0 && !after_key_);
  const Level& level = levels_[--depth_];
  HQ_ASSERT(level.array == array);
  if (!level.empty) new_line();
  buffer_ += array ? ']' : '}';
  complete_ = depth_ == 0;
}

void JsonWriter::key(std::string_view name) {
  HQ_ASSERT(depth_ > 0 && !after_key_);
  Level& level = levels_[depth_ - 1];
  HQ_ASSERT(!level.array);
  HQ_ASSERT(level.empty || level.last_key < name);
  if (!level.empty) buffer_ += ',';
  level.empty = false;
  level.last_key = name;
  new_line();
  append_string(name);
  buffer_ += ':';
  if (layout_ == Layout::kPretty) buffer_ += ' ';
  after_key_ = true;
  flush_if_full();
}

void JsonWriter::append_string(std::string_view text) {
  buffer_ += '"';
  size_t plain_from = 0;
  size_t i = 0;
  auto flush_plain = [&] { buffer_.append(text, plain_from, i - plain_from); };
  while (i < text.size()) {
    const char escape = kEscapes[static_cast<unsigned char>(text[i])];
    if (escape == 0) {
      ++i;
      continue;
    }
    if (escape == 1) {
      if (size_t length = utf8_length(text.substr(i)); length > 0) {
        i += length;
        continue;
      }
      flush_plain();
      buffer_ += kReplacement;
    } else {
      flush_plain();
      buffer_ += '\\';
      buffer_ += escape;
      if (escape == 'u') {
        constexpr std::string_view kHex = "0123456789abcdef";
        auto c = static_cast<unsigned char>(text[i]);
        buffer_ += "00";
        buffer_ += kHex[c >> 4];
        buffer_ += kHex[c & 15];
      }
    }
    plain_from = ++i;
  }
  flush_plain();
  buffer_ += '"';
}

void JsonWriter::append_number(std::string_view digits) {
  before_value();
  buffer_ += digits;
}

void JsonWriter::null() {
  append_number("null");
}
void JsonWriter::value(bool b) {
  append_number(b ? "true" : "false");
}

void JsonWriter::value(int64_t n) {
  std::array<char, 24> text;
  auto end = std::to_chars(text.data(), text.data() + text.size(), n).ptr;
  append_number({text.data(), static_cast<size_t>(end - text.data())});
}

void JsonWriter::value(uint64_t n) {
  std::array<char, 24> text;
  auto end = std::to_chars(text.data(), text.data() + text.size(), n).ptr;
  append_number({text.data(), static_cast<size_t>(end - text.data())});
}

void JsonWriter::value(double d) {
  std::isfinite(d) ? append_number(float_text(d)) : null();
}
void JsonWriter::value(float f) {
  std::isfinite(f) ? append_number(float_text(f)) : null();
}

void JsonWriter::value(std::string_view text) {
  before_value();
  append_string(text);
}

void JsonWriter::raw(std::string_view json) {
  append_number(json);
}

void JsonWriter::finish() {
  HQ_ASSERT(complete_);
  flush_(buffer_);
  buffer_.clear();
}

}  // namespace hq
