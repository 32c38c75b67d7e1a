// A table that is valid Markdown and reads as text: columns are padded to one width.
#ifndef ANYBIT_REPORT_MARKDOWN_TABLE_H_
#define ANYBIT_REPORT_MARKDOWN_TABLE_H_

#include <string>
#include <vector>

namespace anybit::report {

// `rows` begin with the header and have as many cells as it. The first column is aligned to the left, others to the
// right. Texts are UTF-8; characters that would end a cell are escaped.
std::string MarkdownTable(std::vector<std::vector<std::string>> rows);

}  // namespace anybit::report

#endif  // ANYBIT_REPORT_MARKDOWN_TABLE_H_
