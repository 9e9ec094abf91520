#include "cli/args/declaration.h"

#include <algorithm>

namespace hq::cli {
namespace {

// "server-dir" -> "SERVER_DIR"
std::string value_name_of(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

}  // namespace

std::string Argument::text(bool as_required) const {
  if (is_positional) {
    std::string out = as_required ? "<" + value_name + ">" : "[" + value_name + "]";
    return is_repeatable ? out + "..." : out;
  }
  std::string out = name.empty() ? std::string("-") + short_name : "--" + name;
  if (takes_value()) return out + " <" + value_name + ">";
  return is_repeatable ? out + "..." : out;
}

Argument& Command::flag(std::string name, bool& place, std::string help) {
  Argument& argument = add_option(std::move(name), std::move(help), [&place](std::string_view text) {
    place = text != "false";
    return Result<void>();
  });
  argument.value_name.clear();
  return argument;
}

Argument& Command::counter(char letter, uint32_t& place, std::string help) {
  Argument& argument = add_option("", std::move(help), [&place](std::string_view) {
    ++place;
    return Result<void>();
  });
  argument.short_name = letter;
  argument.value_name.clear();
  argument.is_repeatable = true;
  return argument;
}

Argument& Command::trailing(std::string value_name, std::vector<std::string>& place, std::string help) {
  Argument& argument = add_positional(std::move(value_name), std::move(help), storing(place, parse_text));
  argument.is_repeatable = true;
  argument.is_trailing = true;
  return argument;
}

Argument& Command::add_option(std::string name, std::string help, Store store) {
  Argument& argument = arguments_.emplace_back();
  argument.value_name = value_name_of(name);
  argument.name = std::move(name);
  argument.help = std::move(help);
  argument.section = section_;
  argument.store = std::move(store);
  return argument;
}

Argument& Command::add_positional(std::string value_name, std::string help, Store store) {
  Argument& argument = add_option("", std::move(help), std::move(store));
  argument.value_name = std::move(value_name);
  argument.is_positional = true;
  return argument;
}

const Argument* Command::find(std::string_view name) const {
  if (name.empty()) return nullptr;
  auto it =
      std::find_if(arguments_.begin(), arguments_.end(), [&](const Argument& a) { return a.name == name; });
  return it == arguments_.end() ? nullptr : &*it;
}

const Argument* Command::find_short(char letter) const {
  auto it = std::find_if(arguments_.begin(), arguments_.end(),
                         [&](const Argument& a) { return letter != '\0' && a.short_name == letter; });
  return it == arguments_.end() ? nullptr : &*it;
}

std::vector<const Argument*> Command::positionals() const {
  std::vector<const Argument*> out;
  for (const Argument& argument : arguments_) {
    if (argument.is_positional) out.push_back(&argument);
  }
  return out;
}

}  // namespace hq::cli
