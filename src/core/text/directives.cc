#include "hq/core/text/directives.h"

#include "core/text/scanner.h"

namespace hq {

Result<std::vector<std::string>> split_directive(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (!quoted && text::is_blank(c)) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == '\\' && i + 1 < line.size() && (line[i + 1] == '"' || line[i + 1] == ' ')) {
      words.back().append(line.substr(i++, 2));
    } else if (c == '"') {
      quoted = !quoted;
    } else {
      words.back() += c;
    }
  }
  if (quoted) return Error("Parse error\nexpected \"\"\" at the end of input");
  return words;
}

Result<Directives> parse_directives(std::string_view script) {
  if (script.size() > kDirectiveBytes) {
    script = script.substr(0, kDirectiveBytes);
    const size_t end = script.rfind('\n');
    script = end == std::string_view::npos ? std::string_view{} : script.substr(0, end);
  }
  Directives out;
  for (bool first = true; !script.empty(); first = false) {
    const size_t end = script.find('\n');
    std::string_view line = text::trim(script.substr(0, end));
    script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
    if (first && line.starts_with("#!")) {
      for (line = text::trim_front(line.substr(2)); !line.empty(); line = text::trim_front(line)) {
        size_t n = 0;
        while (n < line.size() && !text::is_blank(line[n])) ++n;
        out.shebang.emplace_back(line.substr(0, n));
        line.remove_prefix(n);
      }
    } else if (line.starts_with("#HQ ")) {
      const auto words = split_directive(line.substr(4));
      if (!words) return words.error();
      out.options.insert(out.options.end(), words->begin(), words->end());
    } else if (!line.empty() && !line.starts_with('#')) {
      break;
    }
  }
  return out;
}

}  // namespace hq
