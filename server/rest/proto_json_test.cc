#include "server/rest/proto_json.h"

#include <string>

#include "gtest/gtest.h"
#include "proto/inference.pb.h"

namespace anybit::server {
namespace {

TEST(ProtoJson, SingularFieldsAreWrittenEvenWithTheirDefaults) {
  inference::ServerMetadataResponse metadata;
  metadata.set_name("anybit");
  metadata.add_extensions("parameters");
  EXPECT_EQ(JsonText(ToJson(metadata)), R"({"name":"anybit","version":"","extensions":["parameters"]})");
}

TEST(ProtoJson, SixtyFourBitIntegersAreNumbers) {
  inference::ModelStatistics statistics;
  statistics.set_inference_count(uint64_t{1} << 60);
  EXPECT_EQ(ToJson(statistics)["inference_count"].dump(), "1152921504606846976");
}

TEST(ProtoJson, EnumerationsAreWrittenByName) {
  inference::ModelConfig config;
  inference::ModelInput& input = *config.add_input();
  input.set_data_type(inference::TYPE_UINT8);
  input.add_dims(-1);
  EXPECT_EQ(ToJson(config)["input"][0]["data_type"], "TYPE_UINT8");
  EXPECT_EQ(ToJson(config)["input"][0]["dims"].dump(), "[-1]");
}

TEST(ProtoJson, UnsetMessagesAndMembersOfAOneofAreLeftOut) {
  inference::ModelConfig config;
  EXPECT_FALSE(ToJson(config).contains("dynamic_batching"));
  config.mutable_dynamic_batching();
  EXPECT_TRUE(ToJson(config).contains("dynamic_batching"));
  EXPECT_FALSE(ToJson(config).contains("sequence_batching"));
}

TEST(ProtoJson, AParameterIsItsValue) {
  inference::ModelInferResponse response;
  (*response.mutable_parameters())["bits"].set_int64_param(8);
  (*response.mutable_parameters())["point"].set_string_param("w8a8");
  EXPECT_EQ(ToJson(response)["parameters"]["bits"].dump(), "8");
  EXPECT_EQ(ToJson(response)["parameters"]["point"], "w8a8");
}

TEST(ProtoJson, MembersOfAMapAreSorted) {
  inference::ModelMetadataResponse metadata;
  for (const char* key : {"d", "b", "a", "c", "e"}) (*metadata.mutable_properties())[key] = "1";
  EXPECT_EQ(ToJson(metadata)["properties"].dump(), R"({"a":"1","b":"1","c":"1","d":"1","e":"1"})");
}

TEST(ProtoJson, TextThatIsNotUtf8IsReplaced) { EXPECT_EQ(JsonText(Json("a\xff")), "\"a\xEF\xBF\xBD\""); }

}  // namespace
}  // namespace anybit::server
