#include "base/json_line.h"

#include <limits>

#include <gtest/gtest.h>

namespace anybit {
namespace {

TEST(JsonLine, KeepsTheOrderAndTheTypes) {
  EXPECT_EQ(JsonLine().text(), "{}");
  EXPECT_EQ(JsonLine()
                .Add("text", "a")
                .Add("whole", int64_t{-5})
                .Add("real", 0.25)
                .Add("truth", true)
                .Add("object", JsonLine().Add("n", 1))
                .text(),
            R"({"text":"a","whole":-5,"real":0.25,"truth":true,"object":{"n":1}})");
}

TEST(JsonLine, EscapesWhatWouldEndTheTextOrTheLine) {
  EXPECT_EQ(JsonLine().Add("a\"b", "\\ \n \x01").text(), R"({"a\"b":"\\ \n \u0001"})");
}

TEST(JsonLine, StaysJsonWhereTextIsNotUtf8) {
  EXPECT_EQ(JsonLine().Add("image", "caf\xe9.png").text(), "{\"image\":\"caf\xef\xbf\xbd.png\"}");
}

TEST(JsonLine, LeavesOutWhatIsUnsetAndNullsWhatIsNotFinite) {
  EXPECT_EQ(JsonLine()
                .Add("unset", std::optional<int64_t>())
                .Add("set", std::optional<int64_t>(3))
                .Add("nan", std::numeric_limits<double>::quiet_NaN())
                .text(),
            R"({"set":3,"nan":null})");
}

}  // namespace
}  // namespace anybit
