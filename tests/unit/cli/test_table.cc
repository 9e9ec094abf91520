#include <doctest/doctest.h>

#include "cli/output/progress_bar.h"
#include "cli/output/table.h"
#include "cli/output/text_width.h"
#include "golden.h"

using namespace hq::cli;

namespace {

Style colored() {
  return {ColorChoice::kAlways, {}};
}

Cell state(const char* name) {
  return {name, task_state_color(name)};
}

Table job_list(bool with_jobs) {
  Table table = Table::horizontal({"ID", "Name", "State", "Tasks"});
  if (!with_jobs) return table;
  table.add_row({Cell::right("1"), "impossible", state("WAITING"), "1"});
  table.add_row({Cell::right("*6"), "op1", state("OPENED"), "0"});
  return table;
}

Table worker_list() {
  Cell plain_id("ID");
  Table table =
      Table::horizontal_of_cells({plain_id, Cell::key("State"), Cell::key("Hostname"), Cell::key("Resources"),
                                  Cell::key("Manager"), Cell::key("Manager Job ID")});
  for (auto [id, name, host] :
       {std::tuple("1", "RUNNING", "n1"), {"2", "CONNECTION LOST", "n2"}, {"3", "STOPPED", "n3"}}) {
    table.add_row({Cell::right(id), Cell(name, worker_state_color(name)), host, "cpus 4", "None", "N/A"});
  }
  return table;
}

}  // namespace

TEST_CASE("a list has a header, rows and a frame; ids stand right") {
  CHECK(job_list(true).text(false) == golden("job_list.txt"));
}

TEST_CASE("a list without rows has no bottom border") {
  CHECK(job_list(false).text(false) == golden("job_list_empty.txt"));
}

TEST_CASE("on a terminal every piece of a list has its resets and states their colours") {
  Table table = Table::horizontal({"ID", "Name", "State", "Tasks"});
  table.add_row({Cell::right("1"), "true", state("FINISHED"), "1"});
  CHECK(table.text(true) == golden("job_list_colors.txt"));
  CHECK(worker_list().text(true) == golden("worker_list_colors.txt"));
}

TEST_CASE("values of several lines stand beside blank keys, with colours inside a cell too") {
  Table table = Table::vertical();
  table.add_row("ID", "11");
  StateCounts counts;
  counts.running = 3;
  counts.waiting = 5;
  table.add_row("State", progress_cell(counts, colored()));
  table.add_row("Cancel Reason", "");
  table.add_row("Submission directory", "x");
  CHECK(table.text(true).find(golden("job_info_colors.txt")) != std::string::npos);
}

TEST_CASE("a line end at the end of a cell shows no extra line") {
  Table table = Table::vertical();
  table.add_row("a", "b\n");
  table.add_row("c", "d\n\ne");
  CHECK(table.text(false) == "+---+---+\n| a | b |\n| c | d |\n|   |   |\n|   | e |\n+---+---+\n");
}

TEST_CASE("columns are as wide as their text is on a terminal") {
  CHECK(text_width("abc") == 3);
  CHECK(text_width("žluť") == 4);
  CHECK(text_width("日本") == 4);
  CHECK(text_width("e\u0301") == 1);
  CHECK(text_width("\x1b[31mred\x1b[0m") == 3);
  CHECK(text_width("\xff\xfe") == 2);
  CHECK(text_width("🚀") == 2);

  Table table = Table::vertical();
  table.add_row("日本", "x");
  table.add_row("a", "y");
  CHECK(table.text(false) == "+------+---+\n| 日本 | x |\n| a    | y |\n+------+---+\n");
}

TEST_CASE("a large table leaves in pieces and stops when its reader does") {
  Table table = Table::horizontal({"Task ID", "State", "Worker", "Makespan", "Error"});
  for (int i = 0; i < 100'000; ++i) {
    table.add_row({Cell::right(std::to_string(i)), state("FINISHED"), "node-0042", "1s 500ms", ""});
  }
  size_t bytes = 0;
  size_t largest = 0;
  CHECK(table.print(false, [&](std::string_view piece) {
    bytes += piece.size();
    largest = std::max(largest, piece.size());
    return true;
  }));
  CHECK(bytes > 5'000'000);
  CHECK(largest < 100'000);

  int pieces = 0;
  CHECK_FALSE(table.print(false, [&](std::string_view) { return ++pieces < 2; }));
  CHECK(pieces == 2);
}
