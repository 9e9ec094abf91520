// A table in an ASCII frame, as the original prints it: a horizontal one has a header row, a vertical one a
// column of keys. A table is filled first and printed once, when the widths of its columns are known.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output/style.h"

namespace hq::cli {

enum class Align { kLeft, kRight };

// One cell; line ends in `text` make it several lines high (one at the very end does not). Parts of the text
// may be painted (Style::paint_cell); `color` and `bold` hold for the whole cell.
struct Cell {
  std::string text;
  Color color = Color::kNone;
  Align align = Align::kLeft;
  bool bold = false;

  Cell() = default;
  Cell(std::string words, Color c = Color::kNone, Align a = Align::kLeft)  // NOLINT: a text is a plain cell
      : text(std::move(words)), color(c), align(a) {}
  Cell(const char* words) : text(words) {}  // NOLINT: dtto
  [[nodiscard]] static Cell right(std::string words) {
    return {std::move(words), Color::kNone, Align::kRight};
  }
  [[nodiscard]] static Cell key(std::string words) {
    Cell cell(std::move(words));
    cell.bold = true;
    return cell;
  }
};

class Table {
 public:
  using Row = std::vector<Cell>;
  // Gets the bytes in pieces of about 64 kB; returns false to stop.
  using Sink = std::function<bool(std::string_view)>;

  // Header texts become bold cells; give cells for another look.
  [[nodiscard]] static Table horizontal(const std::vector<std::string>& header);
  [[nodiscard]] static Table horizontal_of_cells(Row header);
  [[nodiscard]] static Table vertical();

  // A row of a horizontal table. REQUIRES: as many cells as the header has.
  void add_row(Row row);
  // A line of a vertical table; the key becomes bold.
  void add_row(std::string key, Cell value);

  [[nodiscard]] size_t row_count() const { return rows_.size(); }
  // False if the sink stopped it.
  bool print(bool colors, const Sink& sink) const;
  [[nodiscard]] std::string text(bool colors) const;

 private:
  class Printer;
  Row header_;
  std::vector<Row> rows_;
};

}  // namespace hq::cli
