#include "base/json.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit {
namespace {

using ::testing::HasSubstr;

TEST(ParseJson, ReadsEachKind) {
  const absl::StatusOr<Json> json = ParseJson(R"({"t": "a\u00e9\"", "n": -1.5e1, "b": true, "l": [1, null]})");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(JsonMember(*json, "t")->get<std::string>(), "a\u00e9\"");
  EXPECT_EQ(JsonMember(*json, "n")->get<double>(), -15);
  EXPECT_TRUE(JsonMember(*json, "b")->get<bool>());
  EXPECT_EQ(JsonMember(*json, "l")->size(), 2u);
  EXPECT_EQ(JsonMember(*json, "absent"), nullptr);
  EXPECT_EQ(JsonMember(*JsonMember(*json, "l"), "absent"), nullptr);
  EXPECT_EQ(JsonMember(*JsonMember(*json, "t"), "absent"), nullptr);
}

TEST(ParseJson, RefusesWhatIsNotJsonAndSaysWhere) {
  for (const char* text : {"", "{", "{} {}", "{'a': 1}", "[1,]", "nan", "1e999", "\"\xff\"", "// note\n1"}) {
    EXPECT_EQ(ParseJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_THAT(ParseJson("{\"a\": x}").status().message(), HasSubstr("column 7"));
}

TEST(ParseJson, DoesNotRepeatALongText) {
  const std::string message(ParseJson('"' + std::string(1'000'000, 'x')).status().message());
  EXPECT_LT(message.size(), 400u);
  EXPECT_THAT(message, HasSubstr("syntax error"));
}

TEST(ParseJsonObject, RefusesOtherValues) {
  EXPECT_TRUE(ParseJsonObject("{}").ok());
  EXPECT_EQ(ParseJsonObject("[]").status().message(), "not a JSON object, but of kind array");
  EXPECT_THAT(ParseJsonObject("{").status().message(), HasSubstr("not a JSON object: "));
}

TEST(ParseJson, RefusesDeepNesting) {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(ParseJson(nested(kMaxJsonDepth)).ok());
  EXPECT_EQ(ParseJson(nested(kMaxJsonDepth + 1)).status().message(), "JSON nested more than 100 deep");
  EXPECT_FALSE(ParseJson(nested(1'000'000)).ok());
}

TEST(ParseJson, RefusesObjectsOfManyMembersAndNotLongArrays) {
  const auto members = [](int count) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":[0,0]";
    return text + "}";
  };
  EXPECT_TRUE(ParseJson(members(kMaxJsonMembers)).ok());
  EXPECT_EQ(ParseJson(members(kMaxJsonMembers + 1)).status().message(), "a JSON object of more than 1000 members");
  EXPECT_EQ(ParseJson("[0" + std::string(200'000, ' ') + std::string(5000, ',') + "]").status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Each object would cost a walk over all before it if the parser had a callback: half a minute for these.
TEST(ParseJson, ReadsManyObjectsInAnArray) {
  std::string text = "[{}";
  for (int i = 1; i < 200'000; ++i) text += ",{}";
  const absl::StatusOr<Json> json = ParseJson(text + "]");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->size(), 200'000u);
}

TEST(ParseJson, BracketsAndCommasInStringsAreNotCounted) {
  const std::string text = "{\"" + std::string(5000, '[') + "\\\"" + std::string(5000, ',') + "\": 1}";
  EXPECT_TRUE(ParseJson(text).ok()) << ParseJson(text).status();
}

}  // namespace
}  // namespace anybit
