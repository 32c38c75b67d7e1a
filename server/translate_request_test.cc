#include "server/translate_request.h"

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "model/arch/registry.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"
#include "server/describe_model.h"
#include "server/testing/infer_request.h"

namespace anybit::server {
namespace {

using inference::ModelInferRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::InferRequest;
using testing::Model;

constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();

InferCall Translated(ModelInferRequest request) {
  const auto call = TranslateRequest(request, Model());
  EXPECT_TRUE(call.ok()) << call.status();
  return call.value_or(InferCall{});
}

void ExpectRefused(ModelInferRequest request, const std::string& part_of_message,
                   absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  const absl::Status status = TranslateRequest(request, Model()).status();
  EXPECT_EQ(status.code(), code) << part_of_message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part_of_message));
  EXPECT_LT(status.message().size(), 2000u);
}

TEST(TranslateRequestTest, APlainRequestHasNoDeadlineAndAcceptsEveryPoint) {
  const InferCall call = Translated(InferRequest(3));
  EXPECT_EQ(call.terms.time_limit, Duration::max());
  EXPECT_EQ(call.terms.allowed, scheduler::PointSet::First(4));
  EXPECT_EQ(call.terms.sla_class, scheduler::SlaClassId{0});
  EXPECT_EQ(call.terms.tenant, scheduler::TenantId{0});
  EXPECT_EQ(call.input.rows, 3);
  EXPECT_EQ(call.input.bytes, std::string(12, 7));
  EXPECT_EQ(call.top_classes, 0);
}

TEST(TranslateRequestTest, SharedMemoryIsRefused) {
  ModelInferRequest request = InferRequest();
  (*request.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("region");
  ExpectRefused(request, "no shared memory");
  request = InferRequest();
  request.add_outputs()->set_name("logits");
  (*request.mutable_outputs(0)->mutable_parameters())["shared_memory_offset"].set_int64_param(0);
  ExpectRefused(request, "no shared memory");
}

TEST(TranslateRequestTest, OnlyTheOneOutputMayBeRequestedAndOnce) {
  ModelInferRequest request = InferRequest();
  request.add_outputs()->set_name("logits");
  EXPECT_EQ(Translated(request).top_classes, 0);
  request.add_outputs()->set_name("logits");
  ExpectRefused(request, "expected at most 1 outputs but got 2");
  request = InferRequest();
  request.add_outputs()->set_name("probabilities");
  ExpectRefused(request, "unexpected inference output 'probabilities'");
}

TEST(TranslateRequestTest, AClassificationAsksForAtMostAllClasses) {
  ModelInferRequest request = InferRequest();
  request.add_outputs()->set_name("logits");
  auto& classes = (*request.mutable_outputs(0)->mutable_parameters())["classification"];
  classes.set_int64_param(2);
  EXPECT_EQ(Translated(request).top_classes, 2);
  classes.set_int64_param(kInt64Max);
  EXPECT_EQ(Translated(request).top_classes, 3);
  for (int64_t bad : {int64_t{0}, int64_t{-1}, kInt64Min}) {
    classes.set_int64_param(bad);
    ExpectRefused(request, "invalid value for 'classification'");
  }
  classes.set_string_param("2");
  ExpectRefused(request, "invalid value type for 'classification'");
}

TEST(TranslateRequestTest, TextsFromClientsAreEscapedAndCutInMessages) {
  ModelInferRequest request = InferRequest();
  request.mutable_inputs(0)->set_name(std::string("a\nb\0c\xff", 6) + std::string(65536, 'd'));
  const std::string message(TranslateRequest(request, Model()).status().message());
  EXPECT_THAT(message, HasSubstr(R"(a\nb\000c\377)"));
  EXPECT_LT(message.size(), 300u);
}

// Clips have one dimension more, [N, frames, height, width, channels], on the wire and in all descriptions.
TEST(TranslateRequestTest, ClipsAreTensorsOfFiveDimensions) {
  ServedModel model = Model();
  const model::Artifact artifact =
      model::RandomArtifact(*model::ArchitectureByName("clip:side=8,frames=3,width=0.1,channels=2"), 1);
  model.network = model::Describe(artifact);
  model.network.name = "sums";
  EXPECT_THAT(DescribeModel(model).inputs(0).shape(), ElementsAre(-1, 3, 8, 8, 2));
  EXPECT_THAT(ConfigureModel(model).input(0).dims(), ElementsAre(3, 8, 8, 2));

  ModelInferRequest request = InferRequest(2);
  auto& input = *request.mutable_inputs(0);
  input.set_name("clip");
  input.clear_shape();
  for (int64_t d : {2, 3, 8, 8, 2}) input.add_shape(d);
  request.set_raw_input_contents(0, std::string(2 * 384, '\x07'));
  const auto call = TranslateRequest(request, model);
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->input.rows, 2);
  EXPECT_EQ(call->input.bytes.size(), 2u * 384u);

  const auto network = model::PackedNetwork::Create(artifact, *model::SupportedKernels().front());
  std::vector<float> logits(2 * 10);
  const std::vector<uint8_t> codes(call->input.bytes.begin(), call->input.bytes.end());
  EXPECT_TRUE((*network)->Run(ToPointId(1), codes, logits, *(*network)->MakeScratch(2)).ok());

  input.mutable_shape()->RemoveLast();
  const absl::Status refused = TranslateRequest(request, model).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("Expected [-1,3,8,8,2], got [2,3,8,8]"));
}

TEST(TranslateRequestTest, TheLargestLegalRequestFitsIntoTheMessageLimit) {
  ServedModel model = Model();
  model.max_batch = 4096;
  model.network.input.elements = 4;
  ModelInferRequest request = InferRequest();
  request.mutable_inputs(0)->set_shape(0, 4096);
  request.clear_raw_input_contents();
  for (int i = 0; i < 4 * 4096; ++i) request.mutable_inputs(0)->mutable_contents()->add_uint_contents(255);
  ASSERT_TRUE(TranslateRequest(request, model).ok());
  EXPECT_LE(static_cast<int>(request.ByteSizeLong()), LargestRequestBytes(model));
  model.network.input.elements = kInt64Max / 16384;
  EXPECT_GT(LargestRequestBytes(model), 0);
}

TEST(TranslateRequestTest, SoDoesTheLargestRequestOfFloats) {
  ServedModel model = Model();
  model.max_batch = 4096;
  model.network.floats = model::FloatInput{.shape = {2, 2, 1}, .gain = {1}, .offset = {0}};
  ModelInferRequest request = InferRequest();
  request.mutable_inputs(0)->set_shape(0, 4096);
  request.mutable_inputs(0)->set_datatype("FP32");
  request.set_raw_input_contents(0, std::string(4 * 4 * 4096, '\0'));
  EXPECT_LE(static_cast<int64_t>(request.ByteSizeLong()), LargestRawRequestBytes(model));
  EXPECT_LE(static_cast<int>(request.ByteSizeLong()), LargestRequestBytes(model));
  const auto call = TranslateRequest(request, model);
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->input.bytes.size(), 4u * 4096u);
}

TEST(TranslateRequestTest, ParametersOfRequestInputAndOutputAreChecked) {
  ExpectRefused(testing::WithInt64("triton_other", 1), "'triton_other'");
  ModelInferRequest request = InferRequest();
  (*request.mutable_inputs(0)->mutable_parameters())["triton_input"].set_int64_param(1);
  ExpectRefused(request, "'triton_input'");
  request = InferRequest();
  request.add_outputs()->set_name("logits");
  (*request.mutable_outputs(0)->mutable_parameters())["triton_output"].set_int64_param(1);
  ExpectRefused(request, "'triton_output'");
}

}  // namespace
}  // namespace anybit::server
