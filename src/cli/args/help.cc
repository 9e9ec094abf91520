#include "cli/args/help.h"

#include <algorithm>

#include "cli/args/usage.h"

namespace hq::cli {
namespace {

constexpr size_t kLineWidth = 100;
constexpr size_t kWidestTerm = 32;  // longer terms have their text on the next line
constexpr size_t kLongIndent = 10;

struct Entry {
  std::string term;
  std::vector<std::string> paragraphs;
};

struct Section {
  std::string heading;
  std::vector<Entry> entries;
};

// Lines of at most `width` columns, broken at blanks; line ends and blanks at their beginning stay.
std::vector<std::string> wrap(std::string_view text, size_t width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    std::string_view word = text.substr(0, end);
    std::string& line = lines.back();
    const bool begun = line.find_first_not_of(' ') != line.npos;
    if (begun && line.size() + 1 + word.size() > width) {
      lines.emplace_back(word);
    } else if (begun && !word.empty()) {
      line.append(1, ' ').append(word);
    } else if (!begun) {
      line += word.empty() && end < text.size() && text[end] == ' ' ? " " : word;
    }
    if (end < text.size() && text[end] == '\n') lines.emplace_back();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (std::string_view word : words) out += (out.empty() ? "" : ", ") + std::string(word);
  return out;
}

std::string term_of(const Argument& argument) {
  if (argument.is_positional) return argument.text(argument.is_required);
  if (argument.name.empty()) return argument.text();
  const bool has_short = argument.short_name != '\0';
  std::string out = has_short ? std::string("-") + argument.short_name + ", " : "    ";
  return out + argument.text();
}

Entry entry_of(const Argument& argument) {
  Entry entry;
  entry.term = term_of(argument);
  entry.paragraphs.push_back(argument.help);
  if (!argument.default_text.empty()) entry.paragraphs.push_back("[default: " + argument.default_text + "]");
  if (!argument.env.empty()) entry.paragraphs.push_back("[env: " + argument.env + "]");
  if (!argument.choices.empty())
    entry.paragraphs.push_back("[possible values: " + joined(argument.choices) + "]");
  return entry;
}

Section& section_named(std::vector<Section>& sections, const std::string& heading) {
  auto it =
      std::find_if(sections.begin(), sections.end(), [&](const Section& s) { return s.heading == heading; });
  if (it != sections.end()) return *it;
  return sections.emplace_back(Section{heading, {}});
}

std::vector<Section> sections_of(const CommandNode& node, const Command& command, bool long_form) {
  std::vector<Section> out;
  for (const CommandNode& child : node.children) {
    if (!child.hidden) {
      section_named(out, "Commands").entries.push_back({std::string(child.name), {std::string(child.about)}});
    }
  }
  for (const Argument* positional : command.positionals()) {
    if (!positional->is_hidden) section_named(out, "Arguments").entries.push_back(entry_of(*positional));
  }
  std::vector<Section> options;
  section_named(options, "Options");
  Section global{"GLOBAL OPTIONS", {}};
  for (const Argument& argument : command.arguments()) {
    if (argument.is_positional || argument.is_hidden) continue;
    Section& section = argument.is_global
                           ? global
                           : section_named(options, argument.section.empty() ? "Options" : argument.section);
    section.entries.push_back(entry_of(argument));
  }
  const char* other_form =
      long_form ? "Print help (see a summary with '-h')" : "Print help (see more with '--help')";
  options.front().entries.push_back({"-h, --help", {other_form}});
  out.insert(out.end(), options.begin(), options.end());
  if (long_form && !global.entries.empty()) out.push_back(global);
  return out;
}

void add_lines(StyledText& out, std::string_view text, size_t indent, bool first_indented) {
  bool indented = first_indented;
  for (const std::string& line : wrap(text, kLineWidth - indent)) {
    out.plain((indented || line.empty() ? "" : std::string(indent, ' ')) + line + "\n");
    indented = false;
  }
}

void add_term(StyledText& out, const std::string& term) {
  const size_t value = term.find(" <");
  out.plain("  ").literal(term.substr(0, value));
  if (value != term.npos) out.plain(term.substr(value));
}

// Terms on the left, texts beside them.
void add_summary(StyledText& out, const Section& section) {
  size_t width = 0;
  for (const Entry& entry : section.entries) {
    if (entry.term.size() <= kWidestTerm) width = std::max(width, entry.term.size());
  }
  const size_t indent = width + 4;
  for (const Entry& entry : section.entries) {
    std::string text;
    for (const std::string& paragraph : entry.paragraphs) text += (text.empty() ? "" : " ") + paragraph;
    add_term(out, entry.term);
    const bool beside = entry.term.size() <= kWidestTerm;
    out.plain(beside ? std::string(indent - 2 - entry.term.size(), ' ') : "\n");
    add_lines(out, text, indent, beside);
  }
}

// Each term on a line of its own, its paragraphs below.
void add_at_length(StyledText& out, const Section& section) {
  bool first = true;
  for (const Entry& entry : section.entries) {
    if (!first) out.plain("\n");
    first = false;
    add_term(out, entry.term);
    out.plain("\n");
    bool first_paragraph = true;
    for (const std::string& paragraph : entry.paragraphs) {
      if (!first_paragraph) out.plain("\n");
      first_paragraph = false;
      add_lines(out, paragraph, kLongIndent, false);
    }
  }
}

}  // namespace

StyledText help_text(const CommandNode& node, const Level& level, bool long_form) {
  StyledText out;
  add_lines(out, node.about, 0, false);
  if (long_form && !node.details.empty()) {
    out.plain("\n");
    add_lines(out, node.details, 0, false);
  }
  out.plain("\n").add(TextRole::kHeading, "Usage:").plain(" ").append(usage_line(level)).plain("\n");
  for (const Section& section : sections_of(node, *level.command, long_form)) {
    out.plain("\n").add(TextRole::kHeading, section.heading + ":").plain("\n");
    if (long_form && section.heading != "Commands") {
      add_at_length(out, section);
    } else {
      add_summary(out, section);
    }
  }
  return out;
}

}  // namespace hq::cli
