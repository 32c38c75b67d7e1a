#include "server/rest/tensor_json.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::server {
namespace {

using testing::HasSubstr;

std::string Raw(const char* json, absl::string_view datatype) {
  const absl::StatusOr<std::string> raw = RawFromJson(*ParseJson(json), datatype);
  EXPECT_TRUE(raw.ok()) << raw.status();
  return raw.value_or("");
}

std::string Error(const char* json, absl::string_view datatype) {
  const absl::StatusOr<std::string> raw = RawFromJson(*ParseJson(json), datatype);
  EXPECT_EQ(raw.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(raw.status().message());
}

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

std::string Written(const std::string& raw, absl::string_view datatype) {
  std::string json;
  EXPECT_TRUE(AppendJsonArray(raw, datatype, json).ok());
  return json;
}

TEST(TensorJson, ElementsBecomeLittleEndianBytes) {
  EXPECT_EQ(Raw("[0, 255]", "UINT8"), Bytes<uint8_t>({0, 255}));
  EXPECT_EQ(Raw("[-2, 513]", "INT16"), Bytes<int16_t>({-2, 513}));
  EXPECT_EQ(Raw("[18446744073709551615]", "UINT64"), Bytes<uint64_t>({std::numeric_limits<uint64_t>::max()}));
  EXPECT_EQ(Raw("[-9223372036854775808]", "INT64"), Bytes<int64_t>({std::numeric_limits<int64_t>::min()}));
  EXPECT_EQ(Raw("[0.5, 3]", "FP32"), Bytes<float>({0.5f, 3.f}));
  EXPECT_EQ(Raw("[1e300]", "FP64"), Bytes<double>({1e300}));
  EXPECT_EQ(Raw("[true, false]", "BOOL"), Bytes<uint8_t>({1, 0}));
  EXPECT_EQ(Raw(R"(["ab", ""])", "BYTES"), std::string("\2\0\0\0ab\0\0\0\0", 10));
}

TEST(TensorJson, NestedArraysAreReadRowByRow) {
  EXPECT_EQ(Raw("[[[1, 2], [3]], [4, 5]]", "UINT8"), Bytes<uint8_t>({1, 2, 3, 4, 5}));
}

TEST(TensorJson, AnElementOutsideItsDatatypeIsNamed) {
  EXPECT_EQ(Error("[1, [2, 256]]", "UINT8"), "element 2 is 256, not an integer from 0 to 255");
  EXPECT_EQ(Error("[-1]", "UINT8"), "element 0 is -1, not an integer from 0 to 255");
  EXPECT_EQ(Error("[1.5]", "UINT8"), "element 0 is 1.5, not an integer from 0 to 255");
  EXPECT_EQ(Error("[-129]", "INT8"), "element 0 is -129, not an integer from -128 to 127");
  EXPECT_THAT(Error("[9223372036854775808]", "INT64"), HasSubstr("element 0 is 9223372036854775808"));
  EXPECT_THAT(Error("[1e39]", "FP32"), HasSubstr("element 0 is 1e+39, not a number of at most 3.40282e+38"));
  EXPECT_THAT(Error("[null]", "FP32"), HasSubstr("element 0 is null"));
  EXPECT_EQ(Error("[1]", "BOOL"), "element 0 is 1, not true or false");
  EXPECT_EQ(Error("[1]", "BYTES"), "element 0 is 1, not a text");
}

TEST(TensorJson, DatatypesWithoutJsonAreRefused) {
  EXPECT_EQ(Error("[1]", "FP16"), "JSON holds no elements of FP16: send them as binary data");
  EXPECT_EQ(Error("[1]", "BF16"), "JSON holds no elements of BF16: send them as binary data");
  EXPECT_EQ(Error("[1]", "FP8"), "the datatype is none of the protocol");
}

TEST(TensorJson, WrittenNumbersAreTheShortestThatReadBack) {
  EXPECT_EQ(Written(Bytes<float>({0.1f, -3.f, 1e-30f}), "FP32"), "[0.1,-3,1e-30]");
  EXPECT_EQ(Written(Bytes<double>({0.1, 1.0 / 3}), "FP64"), "[0.1,0.3333333333333333]");
  EXPECT_EQ(Written(Bytes<int64_t>({std::numeric_limits<int64_t>::min()}), "INT64"), "[-9223372036854775808]");
  EXPECT_EQ(Written(Bytes<uint8_t>({7, 0}), "UINT8"), "[7,0]");
  EXPECT_EQ(Written(Bytes<uint8_t>({1, 0}), "BOOL"), "[true,false]");
  EXPECT_EQ(Written("", "FP32"), "[]");
}

TEST(TensorJson, NumbersThatAreNotFiniteAreWrittenAsNull) {
  EXPECT_EQ(Written(Bytes<float>({NAN, INFINITY, -INFINITY}), "FP32"), "[null,null,null]");
}

TEST(TensorJson, TextsAreWrittenQuoted) {
  EXPECT_EQ(Written(std::string("\3\0\0\0a\"b\1\0\0\0\xff", 12), "BYTES"), "[\"a\\\"b\",\"\xEF\xBF\xBD\"]");
}

TEST(TensorJson, ContentsThatEndWithinAnElementAreRefused) {
  std::string json;
  EXPECT_FALSE(AppendJsonArray("abc", "FP32", json).ok());
  EXPECT_FALSE(AppendJsonArray(std::string("\5\0\0\0abc", 7), "BYTES", json).ok());
  EXPECT_FALSE(AppendJsonArray("ab", "FP16", json).ok());
}

}  // namespace
}  // namespace anybit::server
