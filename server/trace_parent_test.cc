#include "server/trace_parent.h"

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

TEST(TraceParentTest, OnlyAHeaderOfTheFormatIsOne) {
  EXPECT_TRUE(IsTraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  for (const char* wrong : {"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
                            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}) {
    EXPECT_FALSE(IsTraceParent(wrong)) << wrong;
    EXPECT_EQ(TraceIdOf(wrong), "");
  }
}

TEST(TraceParentTest, TheTraceIdIsItsSecondPart) {
  EXPECT_EQ(TraceIdOf("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), "0af7651916cd43dd8448eb211c80319c");
}

}  // namespace
}  // namespace anybit::server
