#include "cli/output/table.h"

#include <algorithm>

#include "cli/output/text_width.h"
#include "hq/base/assert.h"

namespace hq::cli {
namespace {

constexpr size_t kPieceBytes = 64 * 1024;

// Takes the next line off `rest`; the end of the last line doesn't begin another.
std::string_view take_line(std::string_view& rest) {
  size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

size_t cell_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) width = std::max(width, text_width(take_line(text)));
  return width;
}

}  // namespace

// With colours every piece of frame is wrapped in resets, in the very places where the original has them.
class Table::Printer {
 public:
  Printer(const Table& table, bool colors, const Sink& sink) : table_(table), colors_(colors), sink_(sink) {
    if (!table.header_.empty()) measure(table.header_);
    for (const Row& row : table.rows_) measure(row);
  }

  bool print() {
    border();
    if (!table_.header_.empty()) {
      print_row(table_.header_);
      border();
    }
    for (const Row& row : table_.rows_) {
      print_row(row);
      if (out_.size() >= kPieceBytes && !flush()) return false;
    }
    if (!table_.rows_.empty()) border();
    return flush();
  }

 private:
  void measure(const Row& row) {
    if (widths_.size() < row.size()) widths_.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], cell_width(row[i].text));
  }

  bool flush() {
    bool going_on = sink_(out_);
    out_.clear();
    return going_on;
  }

  void reset() {
    if (colors_) out_ += kResetEscape;
  }

  void piece(std::string_view text) {
    reset();
    out_ += text;
    reset();
  }

  void dashes(size_t count) {
    reset();
    out_.append(count, '-');
    reset();
  }

  void border() {
    piece("+");
    for (size_t width : widths_) {
      dashes(width + 2);
      piece("+");
    }
    out_ += '\n';
    reset();
  }

  void print_row(const Row& row) {
    rest_.assign(row.size(), {});
    for (size_t i = 0; i < row.size(); ++i) rest_[i] = row[i].text;
    do {
      piece("|");
      for (size_t i = 0; i < row.size(); ++i) {
        print_cell_line(row[i], take_line(rest_[i]), widths_[i]);
        piece("|");
      }
      out_ += '\n';
    } while (std::any_of(rest_.begin(), rest_.end(), [](std::string_view rest) { return !rest.empty(); }));
    reset();
  }

  void print_cell_line(const Cell& cell, std::string_view line, size_t width) {
    const size_t blanks = width - text_width(line);
    piece(" ");
    reset();
    reset();
    if (colors_) {
      out_ += escape_of(cell.color);
      if (cell.bold) out_ += kBoldEscape;
    }
    if (cell.align == Align::kRight) out_.append(blanks, ' ');
    out_ += line;
    if (cell.align == Align::kLeft) out_.append(blanks, ' ');
    reset();
    out_ += ' ';
    reset();
  }

  const Table& table_;
  const bool colors_;
  const Sink& sink_;
  std::vector<size_t> widths_;
  std::vector<std::string_view> rest_;  // of each cell of the row being printed
  std::string out_;
};

Table Table::horizontal(const std::vector<std::string>& header) {
  Row cells;
  for (const std::string& title : header) cells.push_back(Cell::key(title));
  return horizontal_of_cells(std::move(cells));
}

Table Table::horizontal_of_cells(Row header) {
  HQ_ASSERT(!header.empty());
  Table table;
  table.header_ = std::move(header);
  return table;
}

Table Table::vertical() {
  return {};
}

void Table::add_row(Row row) {
  HQ_ASSERT(row.size() == header_.size());
  rows_.push_back(std::move(row));
}

void Table::add_row(std::string key, Cell value) {
  HQ_ASSERT(header_.empty());
  Row row;
  row.push_back(Cell::key(std::move(key)));
  row.push_back(std::move(value));
  rows_.push_back(std::move(row));
}

bool Table::print(bool colors, const Sink& sink) const {
  return Printer(*this, colors, sink).print();
}

std::string Table::text(bool colors) const {
  std::string out;
  print(colors, [&](std::string_view piece) {
    out += piece;
    return true;
  });
  return out;
}

}  // namespace hq::cli
