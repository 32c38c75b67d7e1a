#include "model/format/safetensors.h"

#include <cstring>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

std::string File(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

std::string Error(const std::string& text) { return std::string(ParseSafetensors(text).status().message()); }

TEST(Safetensors, ReadsBackWhatWasWritten) {
  SafetensorsWriter writer;
  writer.AddMetadata("note", "quote \" backslash \\ line\nend");
  const std::vector<int8_t> bytes = {-128, 0, 127};
  const std::vector<float> floats = {1.5f, -0.25f};
  writer.AddInt8("b", {3}, bytes);
  writer.AddFloat("a", {2, 1}, floats);
  const std::string text = writer.Finish();
  const TensorFile file = *ParseSafetensors(text);
  EXPECT_EQ(file.metadata.at("note"), "quote \" backslash \\ line\nend");
  EXPECT_EQ(file.tensors.at("a").shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(std::memcmp(file.tensors.at("a").bytes.data(), floats.data(), 8), 0);
  EXPECT_EQ(file.tensors.at("b").type, ElementType::kInt8);
  EXPECT_EQ(std::memcmp(file.tensors.at("b").bytes.data(), bytes.data(), 3), 0);
}

TEST(Safetensors, AlignsTheDataToEightBytes) {
  SafetensorsWriter writer;
  writer.AddMetadata("k", "v");
  uint64_t size = 0;
  std::memcpy(&size, writer.Finish().data(), 8);
  EXPECT_EQ(size % 8, 0u);
}

TEST(Safetensors, RefusesDamagedFiles) {
  const std::string one = R"({"t":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}})";
  EXPECT_EQ(Error(File(one, "ab")), "");
  EXPECT_EQ(Error(""), "file of 0 bytes is shorter than its length field");
  EXPECT_EQ(Error("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "header of 18446744073709551615 bytes exceeds 67108864");
  EXPECT_EQ(Error(File(one, "ab").substr(0, 20)), "header of 53 bytes in a file with 12 left");
  EXPECT_EQ(Error(File("[1]", "")).substr(0, 27), "header is not a JSON object");
  EXPECT_EQ(Error(File(one, "a")), "tensor 't' lies at 0..2, outside the 1 bytes of data");
  EXPECT_EQ(Error(File(one, "abc")), "1 bytes of data belong to no tensor");
  EXPECT_EQ(Error(File(R"({"t":{"dtype":"I8","shape":[3],"data_offsets":[0,2]}})", "ab")),
            "tensor 't' of 3 bytes has 2 bytes of data");
  EXPECT_EQ(Error(File(R"({"t":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})", "ab")),
            "tensor data has a gap or an overlap at byte 0");
  EXPECT_EQ(Error(File(R"({"t":{"dtype":"I8","shape":[-1],"data_offsets":[0,2]}})", "ab")),
            "a dimension of tensor 't' is not a whole number of 0..2^53");
  EXPECT_EQ(Error(File(R"({"t":{"dtype":"I8","shape":[4294967296,4294967296],"data_offsets":[0,2]}})", "ab")),
            "tensor 't' has a shape whose product overflows");
  EXPECT_EQ(Error(File(R"({"t":{"dtype":"I8","shape":[2],"data_offsets":[0,2],"x":1}})", "ab")),
            "tensor 't' has an unknown field 'x'");
  EXPECT_EQ(Error(File(R"({"t":{"dtype":"I8","shape":[2]}})", "ab")), "tensor 't' has no data_offsets");
  EXPECT_EQ(Error(File(R"({"__metadata__":{"k":1}})", "")), "metadata 'k' is not a string");
}

TEST(Safetensors, ReadsEveryElementTypeOfTheFormat) {
  const std::vector<std::pair<std::string, int64_t>> types = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};
  for (const auto& [type, bytes] : types) {
    const std::string text =
        File(absl::StrCat(R"({"t":{"dtype":")", type, R"(","shape":[2],"data_offsets":[0,)", 2 * bytes, "]}}"),
             std::string(static_cast<size_t>(2 * bytes), 'x'));
    const auto file = ParseSafetensors(text);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->tensors.at("t").type_name, type);
    EXPECT_EQ(file->tensors.at("t").bytes.size(), static_cast<size_t>(2 * bytes));
  }
}

TEST(Safetensors, NamesAnElementTypeThatTheFormatDoesNotHave) {
  const auto file = ParseSafetensors(File(R"({"t":{"dtype":"F80","shape":[],"data_offsets":[0,8]}})", "12345678"));
  EXPECT_EQ(file.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(file.status().message(), "tensor 't' has dtype 'F80', which safetensors does not have");
}

}  // namespace
}  // namespace anybit::model
