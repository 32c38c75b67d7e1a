#include "report/markdown_table.h"

#include <gtest/gtest.h>

namespace anybit::report {
namespace {

TEST(MarkdownTable, PadsColumnsToOneWidthCountingCharacters) {
  EXPECT_EQ(MarkdownTable({{"recipe", "w8a8"}, {"a", "91.20 ± 0.10"}, {"coquant", "-"}}),
            "| recipe  |         w8a8 |\n"
            "|---------|-------------:|\n"
            "| a       | 91.20 ± 0.10 |\n"
            "| coquant |            - |\n");
}

TEST(MarkdownTable, EscapesCharactersThatWouldEndACell) {
  EXPECT_EQ(MarkdownTable({{"a|b", "c\nd"}}),
            "| a\\|b | c d |\n"
            "|------|----:|\n");
}

}  // namespace
}  // namespace anybit::report
