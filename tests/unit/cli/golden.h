// Texts that the original printed, kept in files beside the tests.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace hq::cli {

// The file with `\e` for ESC and `\r` for CR turned into the bytes.
inline std::string golden(const std::string& name) {
  std::ifstream file(std::string(HQ_GOLDEN_DIR) + "/" + name);
  REQUIRE_MESSAGE(file.good(), "no golden file " << name);
  std::ostringstream text;
  text << file.rdbuf();
  std::string in = text.str();
  std::string out;
  for (size_t i = 0; i < in.size(); ++i) {
    const bool escape = in[i] == '\\' && i + 1 < in.size() && (in[i + 1] == 'e' || in[i + 1] == 'r');
    if (!escape) {
      out += in[i];
      continue;
    }
    out += in[++i] == 'e' ? '\x1b' : '\r';
  }
  return out;
}

}  // namespace hq::cli
