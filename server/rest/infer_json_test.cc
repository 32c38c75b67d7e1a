#include "server/rest/infer_json.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::server {
namespace {

using testing::HasSubstr;

RestRequest Read(const std::string& body, std::optional<size_t> json_bytes = std::nullopt) {
  absl::StatusOr<RestRequest> call = ReadInferRequest(body, json_bytes);
  EXPECT_TRUE(call.ok()) << call.status();
  return call.ok() ? *std::move(call) : RestRequest();
}

std::string Error(const std::string& body, std::optional<size_t> json_bytes = std::nullopt) {
  const absl::StatusOr<RestRequest> call = ReadInferRequest(body, json_bytes);
  EXPECT_EQ(call.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(call.status().message());
}

std::string OneInput(const std::string& members) {
  return absl::StrCat(R"({"inputs":[{"name":"x","datatype":"UINT8","shape":[1,2])", members, "}]}");
}

TEST(ReadInferRequest, ReadsTensorsInJson) {
  const RestRequest call = Read(R"({"id":"7","inputs":[{"name":"x","datatype":"UINT8","shape":[2,1],"data":[[1],[2]]}],
                                    "outputs":[{"name":"y","parameters":{"classification":3}}]})");
  EXPECT_EQ(call.request.id(), "7");
  ASSERT_EQ(call.request.inputs_size(), 1);
  EXPECT_EQ(call.request.inputs(0).name(), "x");
  EXPECT_EQ(call.request.inputs(0).datatype(), "UINT8");
  EXPECT_EQ(call.request.inputs(0).shape(0), 2);
  EXPECT_EQ(call.request.raw_input_contents(0), "\1\2");
  EXPECT_EQ(call.request.outputs(0).parameters().at("classification").int64_param(), 3);
  EXPECT_FALSE(call.forms.IsBinary("y"));
}

TEST(ReadInferRequest, ReadsTensorsBehindTheJsonInTheOrderOfTheInputs) {
  const std::string json = R"({"inputs":[
      {"name":"a","datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}},
      {"name":"b","datatype":"UINT8","shape":[1],"data":[9]},
      {"name":"c","datatype":"UINT8","shape":[2],"parameters":{"binary_data_size":2}}]})";
  const RestRequest call = Read(json + "\1\2\3", json.size());
  EXPECT_EQ(call.request.raw_input_contents(0), "\1");
  EXPECT_EQ(call.request.raw_input_contents(1), "\x9");
  EXPECT_EQ(call.request.raw_input_contents(2), "\2\3");
  EXPECT_TRUE(call.request.inputs(0).parameters().empty());
}

TEST(ReadInferRequest, ParametersKeepTheirTypes) {
  const RestRequest call =
      Read(R"({"parameters":{"slo_us":20000,"sla_class":"batch","flag":true,"x":0.5,"priority":18446744073709551615},)"
           R"("inputs":[]})");
  const auto& parameters = call.request.parameters();
  EXPECT_EQ(parameters.at("slo_us").int64_param(), 20000);
  EXPECT_EQ(parameters.at("sla_class").string_param(), "batch");
  EXPECT_TRUE(parameters.at("flag").bool_param());
  EXPECT_EQ(parameters.at("x").double_param(), 0.5);
  EXPECT_EQ(parameters.at("priority").uint64_param(), 18446744073709551615u);
}

TEST(ReadInferRequest, AnOutputSaysOrTheRequestSaysForAllWhetherItIsBinary) {
  const RestRequest call = Read(
      R"({"parameters":{"binary_data_output":true},"inputs":[],
          "outputs":[{"name":"a","parameters":{"binary_data":false}},{"name":"b"}]})");
  EXPECT_FALSE(call.forms.IsBinary("a"));
  EXPECT_TRUE(call.forms.IsBinary("b"));
  EXPECT_TRUE(call.request.parameters().empty());
}

TEST(ReadInferRequest, ABodyThatIsNoRequestIsRefused) {
  EXPECT_THAT(Error(""), HasSubstr("not a JSON object"));
  EXPECT_THAT(Error("[]"), HasSubstr("not a JSON object"));
  EXPECT_EQ(Error(R"({"inputs":{}})"), "'inputs' must be an array");
  EXPECT_EQ(Error(R"({"inputs":[1]})"), "each entry of 'inputs' must be an object");
  EXPECT_EQ(Error(R"({"id":7})"), "'id' must be a text");
  EXPECT_EQ(Error(R"({"parameters":[]})"), "'parameters' must be an object");
  EXPECT_THAT(Error(R"({"parameters":{"p":null}})"), HasSubstr("parameter 'p' must be a truth value"));
  EXPECT_EQ(Error(R"({"inputs":[{"datatype":"UINT8"}]})"), "input '': 'name' is missing");
  EXPECT_EQ(Error(R"({"inputs":[{"name":"x","datatype":"UINT8","shape":[1.5],"data":[]}]})"),
            "input 'x': 'shape' must be an array of integers");
  EXPECT_EQ(Error(R"({"outputs":[{"name":"y","parameters":{"binary_data":1}}]})"),
            "output 'y': parameter 'binary_data' must be true or false");
}

TEST(ReadInferRequest, NestingBeyondTheLimitIsRefused) {
  EXPECT_THAT(Error(OneInput(absl::StrCat(",\"data\":", std::string(100'000, '['), std::string(100'000, ']')))),
              HasSubstr("nested more than 100 deep"));
}

TEST(ReadInferRequest, ElementsOutsideTheirDatatypeAreNamed) {
  EXPECT_EQ(Error(OneInput(",\"data\":[1,256]")), "input 'x': element 1 is 256, not an integer from 0 to 255");
}

TEST(ReadInferRequest, ContentsMustExistOnce) {
  EXPECT_EQ(Error(OneInput("")), "input 'x': there is neither 'data' nor the parameter 'binary_data_size'");
  const std::string both = OneInput(R"(,"data":[1,2],"parameters":{"binary_data_size":2})");
  EXPECT_EQ(Error(both + "ab", both.size()),
            "input 'x': 'data' and the parameter 'binary_data_size' exclude each other");
}

TEST(ReadInferRequest, SizesMustAddUp) {
  const std::string json = OneInput(R"(,"parameters":{"binary_data_size":2})");
  EXPECT_EQ(Error(json + "a", json.size()), "input 'x': 'binary_data_size' is 2, but only 1 bytes follow");
  EXPECT_EQ(Error(json + "abc", json.size()), "the body has 1 bytes behind its tensors");
  EXPECT_EQ(Error(json, json.size() + 1), absl::StrCat("Inference-Header-Content-Length is ", json.size() + 1,
                                                       ", but the body has ", json.size(), " bytes"));
  EXPECT_EQ(Error(OneInput(R"(,"parameters":{"binary_data_size":-1})")),
            "input 'x': parameter 'binary_data_size' must be a number of bytes");
}

inference::ModelInferResponse Response() {
  inference::ModelInferResponse response;
  response.set_model_name("m");
  response.set_model_version("1");
  (*response.mutable_parameters())["bits"].set_int64_param(4);
  auto& output = *response.add_outputs();
  output.set_name("y");
  output.set_datatype("FP32");
  output.add_shape(1);
  output.add_shape(2);
  const float values[] = {0.5f, -1.f};
  response.add_raw_output_contents(std::string(reinterpret_cast<const char*>(values), sizeof(values)));
  return response;
}

TEST(WriteInferResponse, WritesTensorsInJson) {
  const RestBody body = WriteInferResponse(Response(), {});
  EXPECT_EQ(body.json, R"({"model_name":"m","model_version":"1","parameters":{"bits":4},)"
                       R"("outputs":[{"name":"y","datatype":"FP32","shape":[1,2],"data":[0.5,-1]}]})");
  EXPECT_EQ(body.tensors, "");
}

TEST(WriteInferResponse, WritesTensorsBehindTheJsonWhereAskedFor) {
  const RestBody body = WriteInferResponse(Response(), {.binary = true});
  EXPECT_EQ(body.json,
            R"({"model_name":"m","model_version":"1","parameters":{"bits":4},)"
            R"("outputs":[{"name":"y","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]})");
  EXPECT_EQ(body.tensors, Response().raw_output_contents(0));
}

TEST(WriteInferResponse, TheRequestsIdComesBack) {
  inference::ModelInferResponse response = Response();
  response.set_id("a\"b");
  EXPECT_THAT(WriteInferResponse(response, {}).json, HasSubstr(R"("id":"a\"b")"));
}

}  // namespace
}  // namespace anybit::server
