#include <doctest/doctest.h>

#include <cerrno>

#include "cli/output/formatter.h"
#include "hq/base/log.h"

using namespace hq;
using namespace hq::cli;

namespace {

struct World {
  std::string out;
  std::string err;
  int fails_with = 0;

  Output output(OutputMode mode) {
    return {mode, Style(),
            [this](std::string_view bytes) {
              if (fails_with == 0) out += bytes;
              return fails_with;
            },
            [this](std::string_view bytes) {
              err += bytes;
              return 0;
            }};
  }
};

// Says what `submit` says.
void say_submitted(Output& output) {
  output.print_line("Job submitted successfully, job ID: 7");
  output.print_json_id(7);
  output.print_quiet("7");
}

Error chained() {
  return Error("Error: \"/d1\" is not a directory").with_context("Invalid server directory");
}

}  // namespace

TEST_CASE("each mode prints its own form of a result") {
  for (auto [mode, text] : {std::pair(OutputMode::kCli, "Job submitted successfully, job ID: 7\n"),
                            {OutputMode::kJson, "{\n  \"id\": 7\n}\n"},
                            {OutputMode::kQuiet, "7\n"}}) {
    World world;
    Output output = world.output(mode);
    say_submitted(output);
    CHECK(output.finish() == 0);
    CHECK(world.out == text);
    CHECK(world.err.empty());
  }
}

TEST_CASE("a json command without a document of its own ends with an empty one, right after raw data") {
  World world;
  Output output = world.output(OutputMode::kJson);
  output.print_raw("data");
  output.print_table(Table::horizontal({"not", "shown"}));
  CHECK(output.finish() == 0);
  CHECK(world.out == "data{}\n");
}

TEST_CASE("cli and quiet commands end with nothing more") {
  World world;
  CHECK(world.output(OutputMode::kCli).finish() == 0);
  CHECK(world.output(OutputMode::kQuiet).finish() == 0);
  CHECK(world.out.empty());
}

TEST_CASE("an error goes to stderr with its causes, or is the document in json mode") {
  World people;
  CHECK(people.output(OutputMode::kCli).print_error(chained()) == 1);
  CHECK(people.err == "Invalid server directory\n\nCaused by:\n    Error: \"/d1\" is not a directory\n");
  CHECK(people.out.empty());

  World programs;
  CHECK(programs.output(OutputMode::kJson).print_error(chained()) == 1);
  CHECK(programs.out ==
        "{\n  \"error\": \"Invalid server directory\\n\\nCaused by:\\n    Error: \\\"/d1\\\" is not a "
        "directory\"\n}\n");
  CHECK(programs.err.empty());
}

TEST_CASE("a table that can't be written is a logged error, other output a failure") {
  std::string logged;
  log::set_sink([&](log::Level, std::string_view line) { logged = line; });
  World world;
  world.fails_with = ENOSPC;

  Output table_only = world.output(OutputMode::kCli);
  table_only.print_table(Table::horizontal({"ID"}));
  CHECK(table_only.finish() == 0);
  log::set_sink({});
  CHECK(logged.ends_with(
      " ERROR Cannot print table to stdout: Os { code: 28, kind: StorageFull, message: \"No space "
      "left on device\" }"));

  Output quiet = world.output(OutputMode::kQuiet);
  quiet.print_quiet("1");
  CHECK(quiet.finish() == 1);
  CHECK(world.err == "failed printing to stdout: No space left on device (os error 28)\n");
}
