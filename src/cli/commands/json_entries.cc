// Entries from a JSON file. The only file of the commands that sees the JSON library; its exceptions end
// here.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/commands/entries.h"
#include "hq/base/json_writer.h"

namespace hq::cli {
namespace {

// Deeper documents are refused, as in the original.
constexpr int kMaxDepth = 127;

struct Position {
  size_t line = 1;
  size_t column = 0;
};

Position position_at(std::string_view text, size_t bytes) {
  text = text.substr(0, std::min(bytes, text.size()));
  const size_t last_end = text.rfind('\n');
  return {1 + size_t(std::count(text.begin(), text.end(), '\n')),
          last_end == text.npos ? text.size() : text.size() - last_end - 1};
}

// What the original says of a syntax error, by where the library was when it met it.
std::string syntax_error_text(std::string_view what, std::string_view text, size_t bytes) {
  auto in = [&](std::string_view words) { return what.find(words) != what.npos; };
  // The end of the input is told from a NUL byte in it by the place alone.
  const bool at_end = bytes > text.size() || in("unexpected end of input") || in("missing closing quote");
  const Position at = position_at(text, at_end ? text.size() : bytes);
  std::string_view problem = "expected value";
  if (at_end) {
    problem = in("missing closing quote") ? "EOF while parsing a string"
              : in("parsing array")       ? "EOF while parsing a list"
              : in("parsing object")      ? "EOF while parsing an object"
                                          : "EOF while parsing a value";
  } else if (in("invalid string")) {
    problem = in("control character") ? "control character (\\u0000-\\u001F) found while parsing a string"
                                      : "invalid escape";
  } else if (in("invalid number")) {
    problem = "invalid number";
  } else if (in("expected end of input")) {
    problem = "trailing characters";
  } else if (in("parsing array")) {
    problem = "expected `,` or `]`";
  } else if (in("parsing object key")) {
    problem = "key must be a string";
  } else if (in("parsing object separator")) {
    problem = "expected `:`";
  } else if (in("parsing object")) {
    problem = "expected `,` or `}`";
  }
  return fmt::format("{} at line {} column {}", problem, at.line, at.column);
}

// False if the value is nested too deeply.
bool write_value(JsonWriter& out, const nlohmann::json& value, int depth) {
  using Type = nlohmann::json::value_t;
  switch (value.type()) {
    case Type::object: {
      if (depth == 0) return false;
      out.begin_object();
      for (const auto& [name, member] : value.items()) {
        out.key(name);
        if (!write_value(out, member, depth - 1)) return false;
      }
      out.end_object();
      return true;
    }
    case Type::array: {
      if (depth == 0) return false;
      out.begin_array();
      for (const auto& element : value) {
        if (!write_value(out, element, depth - 1)) return false;
      }
      out.end_array();
      return true;
    }
    case Type::string:
      out.value(value.get_ref<const std::string&>());
      return true;
    case Type::boolean:
      out.value(value.get<bool>());
      return true;
    case Type::number_integer:
      out.value(value.get<int64_t>());
      return true;
    case Type::number_unsigned:
      out.value(value.get<uint64_t>());
      return true;
    case Type::number_float:
      out.value(value.get<double>());
      return true;
    case Type::null:
    case Type::binary:
    case Type::discarded:
      break;
  }
  out.null();
  return true;
}

}  // namespace

Result<Entries> entries_of_json(const std::string& content, const std::string& path) {
  nlohmann::json document;
  try {
    document = nlohmann::json::parse(content);
  } catch (const nlohmann::json::parse_error& e) {
    return Error(syntax_error_text(e.what(), content, e.byte));
  } catch (const nlohmann::json::exception& e) {
    return Error(e.what());  // a number beyond all limits
  }
  if (!document.is_array()) {
    return Error(path + ": The top element of the provided JSON file has to be an array");
  }
  Entries entries;
  for (const auto& element : document) {
    std::string text;
    JsonWriter writer(JsonWriter::Layout::kCompact, [&](std::string_view piece) { text += piece; });
    if (!write_value(writer, element, kMaxDepth - 1)) return Error(path + ": recursion limit exceeded");
    writer.finish();
    if (entries.blob.size() + text.size() > std::numeric_limits<uint32_t>::max()) {
      return Error("Entries of more than 4 GiB cannot be submitted at once");
    }
    entries.add(text);
  }
  return entries;
}

}  // namespace hq::cli
