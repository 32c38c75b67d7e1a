#include "server/translate.h"

#include <chrono>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"
#include "proto/rpc_status.pb.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using inference::ModelInferRequest;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SumNetwork;

constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();

ServedModel Model() {
  return {.network = SumNetwork().description(),
          .max_batch = 4,
          .sla_classes = {{.name = "default"},
                          {.name = "interactive", .objective = milliseconds(20), .accuracy_floor_bp = 8500}},
          .tenants = {{.name = "default"}, {.name = "careful", .share = 3, .accuracy_floor_bp = 9200}}};
}

ModelInferRequest Request(int rows = 1) {
  ModelInferRequest request;
  request.set_model_name("sums");
  auto& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype("UINT8");
  for (int64_t d : {rows, 2, 2, 1}) input.add_shape(d);
  request.add_raw_input_contents(std::string(rows * 4, '\x07'));
  return request;
}

ModelInferRequest TypedRequest(const std::vector<uint32_t>& codes) {
  ModelInferRequest request = Request();
  request.clear_raw_input_contents();
  for (uint32_t code : codes) request.mutable_inputs(0)->mutable_contents()->add_uint_contents(code);
  return request;
}

ModelInferRequest WithInt64(const char* name, int64_t value) {
  ModelInferRequest request = Request();
  (*request.mutable_parameters())[name].set_int64_param(value);
  return request;
}

ModelInferRequest WithString(const char* name, const std::string& value) {
  ModelInferRequest request = Request();
  (*request.mutable_parameters())[name].set_string_param(value);
  return request;
}

InferCall Translated(const ModelInferRequest& request) {
  const auto call = TranslateRequest(request, Model());
  EXPECT_TRUE(call.ok()) << call.status();
  return call.value_or(InferCall{});
}

void ExpectRefused(const ModelInferRequest& request, const std::string& part_of_message,
                   absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  const absl::Status status = TranslateRequest(request, Model()).status();
  EXPECT_EQ(status.code(), code) << part_of_message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part_of_message));
  EXPECT_LT(status.message().size(), 2000u);
}

// ---- Requests

TEST(TranslateTest, APlainRequestHasNoDeadlineAndAcceptsEveryPoint) {
  const InferCall call = Translated(Request(3));
  EXPECT_EQ(call.time_limit, Duration::max());
  EXPECT_EQ(call.allowed, scheduler::PointSet::First(4));
  EXPECT_EQ(call.sla_class, scheduler::SlaClassId{0});
  EXPECT_EQ(call.tenant, scheduler::TenantId{0});
  EXPECT_EQ(call.rows, 3);
  EXPECT_EQ(call.input, std::vector<uint8_t>(12, 7));
  EXPECT_EQ(call.top_classes, 0);
}

TEST(TranslateTest, TypedContentsAreTheSameAsRawOnes) {
  EXPECT_THAT(Translated(TypedRequest({0, 1, 128, 255})).input, ElementsAre(0, 1, 128, 255));
}

TEST(TranslateTest, ModelAndVersionMustBeTheServedOnes) {
  ModelInferRequest request = Request();
  request.set_model_version("7");
  EXPECT_EQ(Translated(request).rows, 1);
  for (const char* version : {"8", "9223372036854775807"}) {
    request.set_model_version(version);
    ExpectRefused(request, "version", absl::StatusCode::kNotFound);
  }
  for (const char* version : {"1e9", "-1", " 7", "7 ", "+7", "0", "18446744073709551616", "latest", "0x7"}) {
    request.set_model_version(version);
    ExpectRefused(request, "failed to get model version from specified version string");
  }
  for (const std::string& name : {std::string(), std::string("other"), std::string("../sums"),
                                  std::string("sums\0x", 6), std::string(65536, 'a')}) {
    request.set_model_name(name);
    ExpectRefused(request, "is not found", absl::StatusCode::kNotFound);
  }
}

TEST(TranslateTest, TheTimeLimitIsTheLeastOfTimeoutAliasAndObjective) {
  EXPECT_EQ(Translated(WithInt64("timeout", 1500)).time_limit, microseconds(1500));
  EXPECT_EQ(Translated(WithInt64("slo_us", 1600)).time_limit, microseconds(1600));
  ModelInferRequest request = WithInt64("timeout", 30000);
  (*request.mutable_parameters())["slo_us"].set_int64_param(25000);
  EXPECT_EQ(Translated(request).time_limit, milliseconds(25));
  (*request.mutable_parameters())["sla_class"].set_string_param("interactive");
  EXPECT_EQ(Translated(request).time_limit, milliseconds(20));
}

TEST(TranslateTest, ATimeoutOfZeroIsNone) {
  EXPECT_EQ(Translated(WithInt64("timeout", 0)).time_limit, Duration::max());
}

TEST(TranslateTest, AHugeTimeoutDoesNotOverflow) {
  EXPECT_EQ(Translated(WithInt64("timeout", kInt64Max)).time_limit, Duration::max());
}

TEST(TranslateTest, ANegativeTimeoutIsRefused) {
  ExpectRefused(WithInt64("timeout", -1), "invalid value for 'timeout'");
  ExpectRefused(WithInt64("slo_us", kInt64Min), "invalid value for 'slo_us'");
}

TEST(TranslateTest, FloorsAndPinBecomeTheSetOfPointsThatSatisfyThem) {
  EXPECT_EQ(Translated(WithInt64("min_accuracy_bp", 9000)).allowed, scheduler::PointSet::First(3));
  EXPECT_EQ(Translated(WithInt64("min_accuracy_bp", 9300)).allowed, scheduler::PointSet::First(1));
  EXPECT_EQ(Translated(WithInt64("min_bits", 8)).allowed, scheduler::PointSet::First(2));
  EXPECT_EQ(Translated(WithString("operating_point", "w1a1")).allowed,
            scheduler::PointSet::Of(ToPointId(SumNetwork::kW1a1)));
  EXPECT_EQ(Translated(WithString("sla_class", "interactive")).allowed, scheduler::PointSet::First(3));
}

TEST(TranslateTest, ATenantIsKnownByItsName) {
  EXPECT_EQ(Translated(WithString("tenant", "careful")).tenant, scheduler::TenantId{1});
  EXPECT_EQ(Translated(WithString("tenant", "default")).tenant, scheduler::TenantId{0});
}

TEST(TranslateTest, OfTheFloorsOfClassTenantAndRequestTheHighestCounts) {
  ModelInferRequest request = WithString("tenant", "careful");
  auto& parameters = *request.mutable_parameters();
  EXPECT_EQ(Translated(request).allowed, scheduler::PointSet::First(2));
  parameters["sla_class"].set_string_param("interactive");
  EXPECT_EQ(Translated(request).allowed, scheduler::PointSet::First(2));
  parameters["min_accuracy_bp"].set_int64_param(9000);
  EXPECT_EQ(Translated(request).allowed, scheduler::PointSet::First(2));
  parameters["min_accuracy_bp"].set_int64_param(9300);
  EXPECT_EQ(Translated(request).allowed, scheduler::PointSet::First(1));
  parameters["operating_point"].set_string_param("w8a8");
  ExpectRefused(request, "operating point 'w8a8' does not have an accuracy of at least 9300");
  parameters.erase("min_accuracy_bp");
  EXPECT_EQ(Translated(request).allowed, scheduler::PointSet::Of(ToPointId(SumNetwork::kW8a8)));
  parameters["operating_point"].set_string_param("w4a4f");
  ExpectRefused(request, "at least 9200");
}

TEST(TranslateTest, AnUnsatisfiableFloorNamesTheBestAvailable) {
  ExpectRefused(WithInt64("min_accuracy_bp", 9301), "9301 basis points, the best available has 9300");
  ModelInferRequest request = WithString("operating_point", "w1a1");
  (*request.mutable_parameters())["min_accuracy_bp"].set_int64_param(8001);
  ExpectRefused(request, "operating point 'w1a1' does not have an accuracy of at least 8001");
  request = WithString("operating_point", "w1a1");
  (*request.mutable_parameters())["sla_class"].set_string_param("interactive");
  ExpectRefused(request, "at least 8500");
}

TEST(TranslateTest, FloorsOutOfRangeAreRefused) {
  ExpectRefused(WithInt64("min_accuracy_bp", -1), "expected 0 to 10000");
  ExpectRefused(WithInt64("min_accuracy_bp", 10001), "expected 0 to 10000");
  ExpectRefused(WithInt64("min_bits", -1), "expected 0 to 32");
  ExpectRefused(WithInt64("min_bits", 33), "expected 0 to 32");
}

TEST(TranslateTest, UnknownPointsClassesAndTenantsAreAnsweredWithTheKnownOnes) {
  ExpectRefused(WithString("operating_point", "w2a2"), "known: fp32, w8a8, w4a4f, w1a1");
  ExpectRefused(WithString("operating_point", ""), "known: fp32");
  ExpectRefused(WithString("sla_class", "gold"), "unknown 'sla_class' 'gold', known: default, interactive");
  ExpectRefused(WithString("tenant", "a\nb"), "unknown 'tenant' 'a\\nb', known: default, careful");
  ExpectRefused(WithString("tenant", ""), "unknown 'tenant' ''");
}

TEST(TranslateTest, OfManyKnownTenantsTheMessageNamesOnlyTheFirst) {
  ServedModel model = Model();
  for (int i = 2; i < 255; ++i) model.tenants.push_back({.name = std::string(61, 'x') + std::to_string(i)});
  const absl::Status status = TranslateRequest(WithString("tenant", "gold"), model).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("x15, ..."));
  EXPECT_LT(status.message().size(), 2000u);
}

TEST(TranslateTest, ParametersOfTheWrongTypeAreRefused) {
  ExpectRefused(WithString("timeout", "1500"), "invalid value type for 'timeout' parameter, expected int64_param.");
  ExpectRefused(WithString("min_bits", "8"), "expected int64_param");
  ExpectRefused(WithInt64("operating_point", 1), "expected string_param");
  ExpectRefused(WithInt64("sla_class", 1), "expected string_param");
  ExpectRefused(WithInt64("tenant", 1), "expected string_param");
  ExpectRefused(WithString("priority", "1"),
                "invalid value type for 'priority' parameter, expected int64_param or uint64_param.");
  ExpectRefused(WithInt64("priority", -1), "invalid value for 'priority', expected value >= 0.");
  ExpectRefused(WithInt64("sequence_start", 1), "expected bool_param");
  ModelInferRequest request = Request();
  (*request.mutable_parameters())["sequence_id"].set_bool_param(true);
  ExpectRefused(request, "expected int64_param or string_param");
}

TEST(TranslateTest, ParametersOfOtherServersAreAccepted) {
  ModelInferRequest request = Request();
  auto& parameters = *request.mutable_parameters();
  parameters["priority"].set_uint64_param(std::numeric_limits<uint64_t>::max());
  parameters["sequence_id"].set_string_param("a");
  parameters["sequence_start"].set_bool_param(true);
  parameters["triton_enable_empty_final_response"].set_bool_param(true);
  parameters["custom"].set_double_param(0.5);
  for (int i = 0; i < 10000; ++i) parameters[std::to_string(i)].set_int64_param(i);
  EXPECT_EQ(Translated(request).rows, 1);
}

TEST(TranslateTest, CustomParametersHaveOneOfFourTypes) {
  ModelInferRequest request = Request();
  (*request.mutable_parameters())["custom"].set_uint64_param(1);
  ExpectRefused(request, "'custom'");
  (*request.mutable_parameters())["custom"].Clear();
  ExpectRefused(request, "'custom'");
}

TEST(TranslateTest, ReservedKeysAreRefused) { ExpectRefused(WithInt64("triton_other", 1), "'triton_other'"); }

TEST(TranslateTest, TheShapeMustBeTheModelsWithABatchDimension) {
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
    ModelInferRequest request = Request();
    request.mutable_inputs(0)->clear_shape();
    for (int64_t d : shape) request.mutable_inputs(0)->add_shape(d);
    ExpectRefused(request, "unexpected shape for input 'image' for model 'sums'. Expected [-1,2,2,1]");
  }
  ModelInferRequest request = Request();
  for (int i = 0; i < 10000; ++i) request.mutable_inputs(0)->add_shape(1);
  ExpectRefused(request, "got [1,2,2,1,1,1,1,1,...]");
}

TEST(TranslateTest, ABatchAboveTheLimitIsRefused) {
  EXPECT_EQ(Translated(Request(4)).rows, 4);
  ExpectRefused(Request(5), "inference request batch-size must be <= 4 for 'sums', got 5");
  ModelInferRequest request = Request();
  request.mutable_inputs(0)->set_shape(0, kInt64Max);
  ExpectRefused(request, "batch-size must be <= 4");
}

TEST(TranslateTest, TheDatatypeIsUint8) {
  for (const char* datatype : {"", "uint8", "FP32", "INT8", "BYTES", "FP16"}) {
    ModelInferRequest request = Request();
    request.mutable_inputs(0)->set_datatype(datatype);
    ExpectRefused(request, "expected 'UINT8'");
  }
}

TEST(TranslateTest, ThereIsExactlyOneInputOfTheRightName) {
  ModelInferRequest request = Request();
  request.mutable_inputs(0)->set_name("picture");
  ExpectRefused(request, "missing required input(s) ['image']");
  request = Request();
  *request.add_inputs() = request.inputs(0);
  ExpectRefused(request, "expected 1 inputs but got 2 inputs");
  request.clear_inputs();
  ExpectRefused(request, "expected 1 inputs but got 0 inputs");
}

TEST(TranslateTest, RawContentsHaveOneEntryOfTheRightSize) {
  ModelInferRequest request = Request(2);
  request.set_raw_input_contents(0, std::string(7, 'a'));
  ExpectRefused(request, "input byte size mismatch for input 'image' for model 'sums'. Expected 8, got 7.");
  request.set_raw_input_contents(0, "");
  ExpectRefused(request, "Expected 8, got 0.");
  request = Request();
  request.add_raw_input_contents("more");
  ExpectRefused(request, "expected 1 entry in raw_input_contents but got 2");
}

TEST(TranslateTest, RawAndTypedContentsExcludeEachOther) {
  ModelInferRequest request = Request();
  request.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  ExpectRefused(request, "contents field must not be specified when using raw_input_contents for 'image'");
  request = Request();
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  ExpectRefused(request, "contents field must not be specified");
}

TEST(TranslateTest, TypedContentsAreOfTheOneFieldComplete) {
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

TEST(TranslateTest, TypedContentsOutOfRangeAreRefusedNotCut) {
  ExpectRefused(TypedRequest({1, 2, 256, 4}), "element 2 of input 'image' for model 'sums' is 256");
  ExpectRefused(TypedRequest({1, 2, 3, 0xffffffffu}), "is 4294967295");
}

TEST(TranslateTest, SharedMemoryIsRefused) {
  ModelInferRequest request = Request();
  (*request.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("region");
  ExpectRefused(request, "no shared memory");
  request = Request();
  request.add_outputs()->set_name("logits");
  (*request.mutable_outputs(0)->mutable_parameters())["shared_memory_offset"].set_int64_param(0);
  ExpectRefused(request, "no shared memory");
}

TEST(TranslateTest, OnlyTheOneOutputMayBeRequestedAndOnce) {
  ModelInferRequest request = Request();
  request.add_outputs()->set_name("logits");
  EXPECT_EQ(Translated(request).top_classes, 0);
  request.add_outputs()->set_name("logits");
  ExpectRefused(request, "expected at most 1 outputs but got 2");
  request = Request();
  request.add_outputs()->set_name("probabilities");
  ExpectRefused(request, "unexpected inference output 'probabilities'");
}

TEST(TranslateTest, AClassificationAsksForAtMostAllClasses) {
  ModelInferRequest request = Request();
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

TEST(TranslateTest, TextsFromClientsAreEscapedAndCutInMessages) {
  ModelInferRequest request = Request();
  request.set_model_name(std::string("a\nb\0c\xff", 6) + std::string(65536, 'd'));
  const std::string message(TranslateRequest(request, Model()).status().message());
  EXPECT_THAT(message, HasSubstr(R"(a\nb\000c\377)"));
  EXPECT_LT(message.size(), 300u);
}

// ---- Responses

scheduler::Outcome ServedOutcome(std::vector<float> logits) {
  auto payload = std::make_unique<InferencePayload>();
  payload->output = std::move(logits);
  return {.kind = scheduler::OutcomeKind::kServed,
          .point = ToPointId(SumNetwork::kW4a4f),
          .expected_accuracy = 0.9,
          .batch_rows = 3,
          .queue_time = microseconds(120),
          .compute_time = microseconds(3400),
          .deadline_met = true,
          .payload = std::move(payload)};
}

TEST(TranslateTest, AResponseTellsHowItWasServed) {
  const auto response = TranslateOutcome(ServedOutcome({1, 2, 3}), "my id", {.rows = 1}, Model());
  EXPECT_EQ(response.model_name(), "sums");
  EXPECT_EQ(response.model_version(), "7");
  EXPECT_EQ(response.id(), "my id");
  const auto& parameters = response.parameters();
  EXPECT_EQ(parameters.at("operating_point").string_param(), "w4a4f");
  EXPECT_EQ(parameters.at("bits").int64_param(), 4);
  EXPECT_EQ(parameters.at("expected_accuracy_bp").int64_param(), 9000);
  EXPECT_EQ(parameters.at("queue_us").int64_param(), 120);
  EXPECT_EQ(parameters.at("compute_us").int64_param(), 3400);
  EXPECT_EQ(parameters.at("batch_size").int64_param(), 3);
  EXPECT_TRUE(parameters.at("deadline_met").bool_param());
}

TEST(TranslateTest, LogitsAreAnsweredRaw) {
  const std::vector<float> logits = {1.5f, -2, 3, 4, 5, 6};
  const auto response = TranslateOutcome(ServedOutcome(logits), "", {.rows = 2}, Model());
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "logits");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 3));
  EXPECT_FALSE(response.outputs(0).has_contents());
  ASSERT_EQ(response.raw_output_contents_size(), 1);
  ASSERT_EQ(response.raw_output_contents(0).size(), 24u);
  EXPECT_EQ(std::memcmp(response.raw_output_contents(0).data(), logits.data(), 24), 0);
}

// The elements of a raw BYTES tensor.
std::vector<std::string> Elements(const std::string& raw) {
  std::vector<std::string> elements;
  for (size_t at = 0; at + 4 <= raw.size();) {
    uint32_t length = 0;
    std::memcpy(&length, raw.data() + at, 4);
    elements.push_back(raw.substr(at + 4, length));
    at += 4 + length;
  }
  return elements;
}

TEST(TranslateTest, AClassificationIsTextHighestFirstForEachRow) {
  const auto response = TranslateOutcome(ServedOutcome({1, 3, 2, 9, 7, 8}), "", {.rows = 2, .top_classes = 2}, Model());
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 2));
  EXPECT_THAT(Elements(response.raw_output_contents(0)),
              ElementsAre("3.000000:1:one", "2.000000:2:two", "9.000000:0:zero", "8.000000:2:two"));
}

TEST(TranslateTest, AClassificationHasATotalOrderEvenOfNotANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto response = TranslateOutcome(ServedOutcome({nan, 1, 1}), "", {.rows = 1, .top_classes = 3}, Model());
  EXPECT_THAT(Elements(response.raw_output_contents(0)),
              ElementsAre("1.000000:1:one", "1.000000:2:two", HasSubstr("nan:0")));
}

// ---- Descriptions

TEST(TranslateTest, MetadataHasTheBatchDimensionAndConfigHasNot) {
  const auto metadata = DescribeModel(Model());
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 2, 2, 1));
  EXPECT_THAT(metadata.outputs(0).shape(), ElementsAre(-1, 3));
  const auto config = ConfigureModel(Model());
  EXPECT_THAT(config.input(0).dims(), ElementsAre(2, 2, 1));
  EXPECT_THAT(config.output(0).dims(), ElementsAre(3));
  EXPECT_EQ(config.max_batch_size(), 4);
  EXPECT_TRUE(config.has_dynamic_batching());
  EXPECT_EQ(config.input(0).name(), metadata.inputs(0).name());
  EXPECT_EQ(config.output(0).name(), metadata.outputs(0).name());
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_UINT8);
  EXPECT_EQ(metadata.inputs(0).datatype(), "UINT8");
}

// Clips have one dimension more, [N, frames, height, width, channels], on the wire and in all descriptions.
TEST(TranslateTest, ClipsAreTensorsOfFiveDimensions) {
  ServedModel model = Model();
  const model::Artifact artifact =
      model::RandomArtifact(*model::ArchitectureByName("clip:side=8,frames=3,width=0.1,channels=2"), 1);
  model.network = model::Describe(artifact);
  model.network.name = "sums";
  EXPECT_THAT(DescribeModel(model).inputs(0).shape(), ElementsAre(-1, 3, 8, 8, 2));
  EXPECT_THAT(ConfigureModel(model).input(0).dims(), ElementsAre(3, 8, 8, 2));

  ModelInferRequest request = Request(2);
  auto& input = *request.mutable_inputs(0);
  input.set_name("clip");
  input.clear_shape();
  for (int64_t d : {2, 3, 8, 8, 2}) input.add_shape(d);
  request.set_raw_input_contents(0, std::string(2 * 384, '\x07'));
  const auto call = TranslateRequest(request, model);
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->rows, 2);
  EXPECT_EQ(call->input.size(), 2u * 384u);

  const auto network = model::PackedNetwork::Create(artifact, *model::SupportedKernels().front());
  std::vector<float> logits(2 * 10);
  EXPECT_TRUE((*network)->Run(ToPointId(1), call->input, logits, *(*network)->MakeScratch(2)).ok());

  input.mutable_shape()->RemoveLast();
  const absl::Status refused = TranslateRequest(request, model).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("Expected [-1,3,8,8,2], got [2,3,8,8]"));
}

TEST(TranslateTest, MetadataAdvertisesPointsAccuraciesClassesAndTenants) {
  const auto metadata = DescribeModel(Model());
  const auto& properties = metadata.properties();
  EXPECT_EQ(properties.at("operating_points"), "fp32,w8a8,w4a4f,w1a1");
  EXPECT_EQ(properties.at("operating_point.w4a4f.accuracy_bp"), "9000");
  EXPECT_EQ(properties.at("operating_point.w4a4f.weight_bits"), "4");
  EXPECT_EQ(properties.at("sla_classes"), "default,interactive");
  EXPECT_EQ(properties.at("sla_class.interactive.objective_us"), "20000");
  EXPECT_EQ(properties.at("sla_class.interactive.accuracy_floor_bp"), "8500");
  EXPECT_EQ(properties.at("sla_class.interactive.weight"), "1");
  EXPECT_EQ(properties.at("tenants"), "default,careful");
  EXPECT_EQ(properties.at("tenant.careful.share"), "3");
  EXPECT_EQ(properties.at("tenant.careful.accuracy_floor_bp"), "9200");
}

TEST(TranslateTest, MetadataAdvertisesLabelsAsAListWhateverTheyHold) {
  ServedModel model = Model();
  model.network.labels = {"zero", "one", "two"};
  EXPECT_EQ(DescribeModel(model).properties().at("labels_json"), R"(["zero","one","two"])");
  EXPECT_EQ(DescribeModel(model).properties().at("labels"), "zero,one,two");
  model.network.labels = {"a, b", "c\"\\", "caf\xc3\xa9"};
  EXPECT_EQ(DescribeModel(model).properties().at("labels_json"), "[\"a, b\",\"c\\\"\\\\\",\"caf\xc3\xa9\"]");
  EXPECT_FALSE(DescribeModel(model).properties().contains("labels")) << "at commas it splits into four";
}

TEST(TranslateTest, TheLargestLegalRequestFitsIntoTheMessageLimit) {
  ServedModel model = Model();
  model.max_batch = 4096;
  model.network.input.elements = 4;
  ModelInferRequest request = Request();
  request.mutable_inputs(0)->set_shape(0, 4096);
  request.clear_raw_input_contents();
  for (int i = 0; i < 4 * 4096; ++i) request.mutable_inputs(0)->mutable_contents()->add_uint_contents(255);
  ASSERT_TRUE(TranslateRequest(request, model).ok());
  EXPECT_LE(static_cast<int>(request.ByteSizeLong()), LargestRequestBytes(model));
  model.network.input.elements = kInt64Max / 16384;
  EXPECT_GT(LargestRequestBytes(model), 0);
}

TEST(TranslateTest, GrpcCodesAreAbseilsNumberByNumber) {
  EXPECT_EQ(ToGrpcStatus(absl::InvalidArgumentError("x")).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError("x")).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ToGrpcStatus(absl::ResourceExhaustedError("x")).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ToGrpcStatus(absl::DeadlineExceededError("x")).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(ToGrpcStatus(absl::CancelledError("x")).error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(ToGrpcStatus(absl::UnavailableError("x")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ToGrpcStatus(absl::InternalError("x")).error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(ToGrpcStatus(absl::InternalError("text")).error_message(), "text");
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(TranslateTest, ARefusalWithARetryTimeCarriesItAsADetailOfGooglesForm) {
  const grpc::Status status = ToGrpcStatus(absl::ResourceExhaustedError("full"), milliseconds(2345));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "full");
  google::rpc::Status detailed;
  ASSERT_TRUE(detailed.ParseFromString(status.error_details()));
  EXPECT_EQ(detailed.code(), 8);
  EXPECT_EQ(detailed.message(), "full");
  ASSERT_EQ(detailed.details_size(), 1);
  EXPECT_EQ(detailed.details(0).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
  // Field 1, a message: seconds 2 in its field 1, 345,000,000 nanoseconds in its field 2.
  EXPECT_EQ(detailed.details(0).value(), std::string("\x0a\x08\x08\x02\x10\xc0\x90\xc1\xa4\x01", 10));
}

}  // namespace
}  // namespace anybit::server
