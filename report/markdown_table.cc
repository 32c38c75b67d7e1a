#include "report/markdown_table.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace anybit::report {
namespace {

// Characters, not bytes: those after the first of a character begin with the bits 10.
size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string MarkdownTable(std::vector<std::vector<std::string>> rows) {
  for (std::vector<std::string>& row : rows) {
    for (std::string& cell : row) cell = absl::StrReplaceAll(cell, {{"|", "\\|"}, {"\n", " "}});
  }
  std::vector<size_t> widths(rows.front().size());
  for (const std::vector<std::string>& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], Width(row[c]));
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t c = 0; c < rows[r].size(); ++c) {
      const std::string padding(widths[c] - Width(rows[r][c]), ' ');
      absl::StrAppend(&text, "| ", c == 0 ? rows[r][c] + padding : padding + rows[r][c], " ");
    }
    text += "|\n";
    if (r > 0) continue;
    for (size_t c = 0; c < widths.size(); ++c) {
      absl::StrAppend(&text, "|", std::string(widths[c] + 1, '-'), c == 0 ? "-" : ":");
    }
    text += "|\n";
  }
  return text;
}

}  // namespace anybit::report
