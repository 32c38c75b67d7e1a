#include "server/input_tensor.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "server/testing/infer_request.h"

namespace anybit::server {
namespace {

using inference::ModelInferRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::InferRequest;
using testing::Model;
using testing::TypedRequest;

constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();

InputTensor Input(ModelInferRequest request) {
  const auto input = ReadInput(request, Model());
  EXPECT_TRUE(input.ok()) << input.status();
  return input.value_or(InputTensor{});
}

void ExpectRefused(ModelInferRequest request, const std::string& part_of_message) {
  const absl::Status status = ReadInput(request, Model()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part_of_message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part_of_message));
  EXPECT_LT(status.message().size(), 2000u);
}

TEST(InputTensorTest, RawContentsAreTheBytes) {
  const InputTensor input = Input(InferRequest(3));
  EXPECT_EQ(input.rows, 3);
  EXPECT_EQ(input.bytes, std::string(12, 7));
}

TEST(InputTensorTest, TypedContentsAreTheSameAsRawOnes) {
  EXPECT_EQ(Input(TypedRequest({0, 1, 128, 255})).bytes, std::string("\0\1\200\377", 4));
}

TEST(InputTensorTest, TheShapeMustBeTheModelsWithABatchDimension) {
  const std::vector<std::vector<int64_t>> shapes = {{},
                                                    {1},
                                                    {2, 2, 1},
                                                    {1, 2, 2},
                                                    {0, 2, 2, 1},
                                                    {-1, 2, 2, 1},
                                                    {1, 2, 2, 2},
                                                    {1, 4, 1, 1},
                                                    {1, 2, 2, 1, 1},
                                                    {kInt64Min, 2, 2, 1},
                                                    {1, kInt64Max, kInt64Max, 1}};
  for (const auto& shape : shapes) {
    ModelInferRequest request = InferRequest();
    request.mutable_inputs(0)->clear_shape();
    for (int64_t d : shape) request.mutable_inputs(0)->add_shape(d);
    ExpectRefused(request, "unexpected shape for input 'image' for model 'sums'. Expected [-1,2,2,1]");
  }
  ModelInferRequest request = InferRequest();
  for (int i = 0; i < 10000; ++i) request.mutable_inputs(0)->add_shape(1);
  ExpectRefused(request, "got [1,2,2,1,1,1,1,1,...]");
}

TEST(InputTensorTest, ABatchAboveTheLimitIsRefused) {
  EXPECT_EQ(Input(InferRequest(4)).rows, 4);
  ExpectRefused(InferRequest(5), "inference request batch-size must be <= 4 for 'sums', got 5");
  ModelInferRequest request = InferRequest();
  request.mutable_inputs(0)->set_shape(0, kInt64Max);
  ExpectRefused(request, "batch-size must be <= 4");
}

TEST(InputTensorTest, TheDatatypeIsUint8) {
  for (const char* datatype : {"", "uint8", "FP32", "INT8", "BYTES", "FP16"}) {
    ModelInferRequest request = InferRequest();
    request.mutable_inputs(0)->set_datatype(datatype);
    ExpectRefused(request, "expected 'UINT8'");
  }
}

TEST(InputTensorTest, ThereIsExactlyOneInputOfTheRightName) {
  ModelInferRequest request = InferRequest();
  request.mutable_inputs(0)->set_name("picture");
  ExpectRefused(request, "missing required input(s) ['image']");
  request = InferRequest();
  *request.add_inputs() = request.inputs(0);
  ExpectRefused(request, "expected 1 inputs but got 2 inputs");
  request.clear_inputs();
  ExpectRefused(request, "expected 1 inputs but got 0 inputs");
}

TEST(InputTensorTest, RawContentsHaveOneEntryOfTheRightSize) {
  ModelInferRequest request = InferRequest(2);
  request.set_raw_input_contents(0, std::string(7, 'a'));
  ExpectRefused(request, "input byte size mismatch for input 'image' for model 'sums'. Expected 8, got 7.");
  request.set_raw_input_contents(0, "");
  ExpectRefused(request, "Expected 8, got 0.");
  request = InferRequest();
  request.add_raw_input_contents("more");
  ExpectRefused(request, "expected 1 entry in raw_input_contents but got 2");
}

TEST(InputTensorTest, RawAndTypedContentsExcludeEachOther) {
  ModelInferRequest request = InferRequest();
  request.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  ExpectRefused(request, "contents field must not be specified when using raw_input_contents for 'image'");
  request = InferRequest();
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  ExpectRefused(request, "contents field must not be specified");
}

TEST(InputTensorTest, TypedContentsAreOfTheOneFieldComplete) {
  ExpectRefused(TypedRequest({}), "unable to find data for input tensor 'image' for model 'sums' in request.");
  ExpectRefused(TypedRequest({1, 2, 3}), "Expected 4, got 3.");
  ExpectRefused(TypedRequest({1, 2, 3, 4, 5}), "Expected 4, got 5.");
  const std::vector<std::function<void(inference::InferTensorContents&)>> others = {
      [](auto& c) { c.add_bool_contents(true); }, [](auto& c) { c.add_int_contents(1); },
      [](auto& c) { c.add_int64_contents(1); },   [](auto& c) { c.add_uint64_contents(1); },
      [](auto& c) { c.add_fp32_contents(1); },    [](auto& c) { c.add_fp64_contents(1); },
      [](auto& c) { c.add_bytes_contents("a"); }};
  for (const auto& add : others) {
    ModelInferRequest request = TypedRequest({1, 2, 3, 4});
    add(*request.mutable_inputs(0)->mutable_contents());
    ExpectRefused(request, "unexpected explicit tensor data for input tensor 'image'");
  }
}

TEST(InputTensorTest, TypedContentsOutOfRangeAreRefusedNotCut) {
  ExpectRefused(TypedRequest({1, 2, 256, 4}), "element 2 of input 'image' for model 'sums' is 256");
  ExpectRefused(TypedRequest({1, 2, 3, 0xffffffffu}), "is 4294967295");
}

// A model of pixels x and y that takes (pixel / 255 - 0.5) / 0.25 in floats, too.
ServedModel FloatModel(bool channels_first) {
  ServedModel model = Model();
  model.network.input = {.name = "image", .shape = {1, 2, 2}, .elements = 4};
  model.network.floats = model::FloatInput{.channels_first = channels_first,
                                           .shape = {1, 2, 2},
                                           .gain = {0.25f * 255, 0.25f * 255},
                                           .offset = {0.5f * 255, 0.5f * 255}};
  if (channels_first) model.network.floats->shape = {2, 1, 2};
  return model;
}

ModelInferRequest FloatRequest(const std::vector<int64_t>& shape, const std::vector<float>& values) {
  ModelInferRequest request = InferRequest();
  auto& input = *request.mutable_inputs(0);
  input.set_datatype("FP32");
  input.clear_shape();
  for (int64_t d : shape) input.add_shape(d);
  request.set_raw_input_contents(
      0, std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
  return request;
}

ModelInferRequest Typed(ModelInferRequest request) {
  const std::string raw = request.raw_input_contents(0);
  request.clear_raw_input_contents();
  for (size_t at = 0; at < raw.size(); at += sizeof(float)) {
    float value;
    std::memcpy(&value, raw.data() + at, sizeof(value));
    request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(value);
  }
  return request;
}

std::vector<int> CodesOf(ModelInferRequest request, const ServedModel& model) {
  const auto input = ReadInput(request, model);
  EXPECT_TRUE(input.ok()) << input.status();
  std::vector<int> codes;
  for (const char code : input.value_or(InputTensor{}).bytes) codes.push_back(static_cast<uint8_t>(code));
  return codes;
}

TEST(InputTensorTest, FloatsBecomeTheCodesThatTheyWereNormalisedFrom) {
  const ModelInferRequest last = FloatRequest({1, 1, 2, 2}, {-2, 2, 0.1f, -9});
  EXPECT_THAT(CodesOf(last, FloatModel(false)), ElementsAre(0, 255, 134, 0));
  EXPECT_THAT(CodesOf(Typed(last), FloatModel(false)), ElementsAre(0, 255, 134, 0));
  const ModelInferRequest first = FloatRequest({2, 2, 1, 2}, {-2, 2, 0.1f, -9, 9, -2, 2, 0.1f});
  EXPECT_THAT(CodesOf(first, FloatModel(true)), ElementsAre(0, 134, 255, 0, 255, 255, 0, 134));
  EXPECT_THAT(CodesOf(Typed(first), FloatModel(true)), ElementsAre(0, 134, 255, 0, 255, 255, 0, 134));
}

void ExpectFloatsRefused(ModelInferRequest request, bool channels_first, const std::string& part_of_message) {
  const absl::Status status = ReadInput(request, FloatModel(channels_first)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part_of_message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part_of_message));
}

TEST(InputTensorTest, AFloatThatIsNotFiniteIsRefusedByItsIndex) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    const ModelInferRequest request = FloatRequest({1, 2, 1, 2}, {0, 0, bad, bad});
    ExpectFloatsRefused(request, true, "element 2 of input 'image' for model 'sums' is ");
    ExpectFloatsRefused(Typed(request), true, "not a finite number");
  }
}

TEST(InputTensorTest, FloatsHaveTheDeclaredLayoutAndSize) {
  ExpectFloatsRefused(FloatRequest({1, 1, 2, 2}, {0, 0, 0, 0}), true, "Expected [-1,2,1,2], got [1,1,2,2]");
  ExpectFloatsRefused(FloatRequest({1, 2, 1, 2}, {0, 0, 0}), true, "Expected 16, got 12.");
  ExpectFloatsRefused(Typed(FloatRequest({1, 2, 1, 2}, {0, 0, 0})), true, "Expected 4, got 3.");
  ModelInferRequest request = Typed(FloatRequest({1, 2, 1, 2}, {}));
  request.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  ExpectFloatsRefused(request, true, "of type UINT8, UINT16 or UINT32, expected datatype FP32");
  request.mutable_inputs(0)->set_datatype("FP64");
  ExpectFloatsRefused(request, true, "expected 'UINT8' or 'FP32'");
}

TEST(InputTensorTest, AModelOfFloatsTakesBytesAsBefore) {
  ModelInferRequest request = FloatRequest({1, 1, 2, 2}, {0.5f});
  request.mutable_inputs(0)->set_datatype("UINT8");
  request.set_raw_input_contents(0, std::string("\1\2\3\4"));
  EXPECT_THAT(CodesOf(request, FloatModel(true)), ElementsAre(1, 2, 3, 4));
}

TEST(InputTensorTest, ItsParametersAreChecked) {
  ModelInferRequest request = InferRequest();
  auto& parameters = *request.mutable_inputs(0)->mutable_parameters();
  parameters["shared_memory_region"].set_string_param("region");
  ExpectRefused(request, "no shared memory");
  parameters.clear();
  parameters["triton_other"].set_int64_param(1);
  ExpectRefused(request, "'triton_other'");
}

}  // namespace
}  // namespace anybit::server
