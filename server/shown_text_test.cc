#include "server/shown_text.h"

#include <string>

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

TEST(ShownTextTest, IsQuotedAndEscaped) {
  EXPECT_EQ(ShownText(""), "''");
  EXPECT_EQ(ShownText("sums"), "'sums'");
  EXPECT_EQ(ShownText(std::string("a\nb\0c\xff", 6)), R"('a\nb\000c\377')");
}

TEST(ShownTextTest, OfALongTextOnlyTheBeginningIsShown) {
  EXPECT_EQ(ShownText(std::string(80, 'd')), "'" + std::string(80, 'd') + "'");
  EXPECT_EQ(ShownText(std::string(81, 'd')), "'" + std::string(80, 'd') + "...'");
}

}  // namespace
}  // namespace anybit::server
