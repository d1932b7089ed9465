#pragma once
// Rows under a heading, in columns as wide as they need.
//
// Control thread. What came from elsewhere is made printable (PrintedText).

#include <string>
#include <vector>

#include "app/commands/admin_output.h"

namespace gatehouse::app {

class PrintedTable {
 public:
  explicit PrintedTable(std::vector<std::string> heading) : heading_(std::move(heading)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const noexcept { return rows_.empty(); }

  // `nothing`: what is printed in the place of a table without rows.
  void print_out(std::string_view nothing) const {
    PrintedText text(in_colour());
    if (rows_.empty()) {
      text.literal(nothing).literal("\n").print_out();
      return;
    }
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < heading_.size(); ++i) {
      widths.push_back(heading_[i].size());
      for (const auto& row : rows_) widths[i] = std::max(widths[i], shown(row[i]).size());
    }
    for (std::size_t i = 0; i < heading_.size(); ++i) {
      text.strong(heading_[i]);
      if (i + 1 < heading_.size()) text.literal(std::string(widths[i] - heading_[i].size() + 2, ' '));
    }
    text.literal("\n");
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i + 1 < row.size(); ++i) text.column(shown(row[i]), widths[i]);
      text.add(shown(row.back())).literal("\n");
    }
    text.print_out();
  }

 private:
  // A column that says nothing is seen to be there.
  static std::string_view shown(std::string_view cell) { return cell.empty() ? "-" : cell; }

  const std::vector<std::string> heading_;
  std::vector<std::vector<std::string>> rows_;
};

// "a,b,c" of a list of texts.
std::string joined(const codec::Json& object, std::string_view name);
// "2026-11-29 11:21" of a time; empty when there is none.
std::string short_time(const codec::Json& object, std::string_view name);

}  // namespace gatehouse::app
