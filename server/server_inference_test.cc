// What a server answers to inference requests: results, floors, refusals of what is malformed.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/inference.grpc.pb.h"
#include "server/testing/server_fixture.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using std::chrono::seconds;
using testing::Call;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Logits;
using testing::Options;
using testing::Pinned;
using testing::Request;
using testing::ServerFixture;
using testing::SharedServerTest;
using testing::SumNetwork;
using testing::With;

TEST_F(SharedServerTest, RawContentsAreServed) {
  ModelInferResponse response;
  const grpc::Status status = shared_->Infer(Request(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.id(), "id of this call");
  EXPECT_EQ(response.parameters().at("operating_point").string_param(), "fp32");
  EXPECT_EQ(response.parameters().at("bits").int64_param(), 32);
  EXPECT_TRUE(response.parameters().at("deadline_met").bool_param());
  EXPECT_THAT(Logits(response), ElementsAre(10, 1010, 2010));
}

TEST_F(SharedServerTest, TypedContentsAreServedAlike) {
  ModelInferRequest request = Request();
  request.clear_raw_input_contents();
  for (uint32_t code : {1, 2, 3, 4}) request.mutable_inputs(0)->mutable_contents()->add_uint_contents(code);
  ModelInferResponse response;
  ASSERT_TRUE(shared_->Infer(request, &response).ok());
  EXPECT_THAT(Logits(response), ElementsAre(10, 1010, 2010));
}

TEST_F(SharedServerTest, APinnedPointIsTheOneThatRuns) {
  for (const auto& [name, index] :
       {std::pair("fp32", 0), std::pair("w8a8", 1), std::pair("w4a4f", 2), std::pair("w1a1", 3)}) {
    ModelInferResponse response;
    ASSERT_TRUE(shared_->Infer(Pinned(name), &response).ok());
    EXPECT_EQ(response.parameters().at("operating_point").string_param(), name);
    EXPECT_EQ(Logits(response)[0], 10 + 0.25f * index);
  }
}

TEST_F(SharedServerTest, AClassBringsItsFloorAndObjective) {
  ModelInferRequest request = Request();
  (*request.mutable_parameters())["sla_class"].set_string_param("careful");
  ModelInferResponse response;
  ASSERT_TRUE(shared_->Infer(request, &response).ok());
  EXPECT_GE(response.parameters().at("expected_accuracy_bp").int64_param(), 9200);
  (*request.mutable_parameters())["operating_point"].set_string_param("w4a4f");
  EXPECT_EQ(shared_->Infer(request).error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST_F(SharedServerTest, AClassificationIsServedAsText) {
  ModelInferRequest request = Request();
  request.add_outputs()->set_name("logits");
  (*request.mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(1);
  ModelInferResponse response;
  ASSERT_TRUE(shared_->Infer(request, &response).ok());
  EXPECT_EQ(response.raw_output_contents(0), std::string("\x11\0\0\0", 4) + "2010.000000:2:two");
}

TEST_F(SharedServerTest, ADeadlineTheFastestPointCannotMeetIsRefusedWithAHintWhenToRetry) {
  ModelInferRequest request = Request();
  (*request.mutable_parameters())["timeout"].set_int64_param(1);  // below every latency of the profile
  Call call(shared_->stub(), request);
  const StatusCode code = call.Wait().error_code();
  // By the time the scheduler looks, this microsecond may have passed.
  ASSERT_TRUE(code == StatusCode::RESOURCE_EXHAUSTED || code == StatusCode::DEADLINE_EXCEEDED) << code;
  if (code != StatusCode::RESOURCE_EXHAUSTED) return;
  const auto& trailers = call.context().GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_GT(std::stoi(std::string(pushback->second.data(), pushback->second.size())), 0);
}

TEST_F(SharedServerTest, AGrpcDeadlineAlreadyPastIsExceeded) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - seconds(1));
  ModelInferResponse response;
  EXPECT_EQ(shared_->stub().ModelInfer(&context, Request(), &response).error_code(), StatusCode::DEADLINE_EXCEEDED);
}

TEST(ServerInferenceTest, FloorsHoldWhereThePolicyWouldGoBelow) {
  ServerOptions options = Options();
  options.policy = "fixed:w1a1";
  ServerFixture fixture(options);
  const auto served = [&](const ModelInferRequest& request, const char* parameter) {
    ModelInferResponse response;
    const grpc::Status status = fixture.Infer(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return status.ok() ? response.parameters().at(parameter).int64_param() : -1;
  };
  EXPECT_EQ(served(Request(), "bits"), 1);
  ModelInferRequest accurate = Request();
  (*accurate.mutable_parameters())["min_accuracy_bp"].set_int64_param(8500);
  EXPECT_GE(served(accurate, "expected_accuracy_bp"), 8500);
  ModelInferRequest wide = Request();
  (*wide.mutable_parameters())["min_bits"].set_int64_param(4);
  EXPECT_GE(served(wide, "bits"), 4);
}

TEST(ServerInferenceTest, ATenantsFloorHoldsWhereThePolicyWouldGoBelow) {
  ServerOptions options = Options();
  options.policy = "fixed:w1a1";
  options.tenants = {{.name = "default"}, {.name = "careful", .accuracy_floor_bp = 9200}};
  ServerFixture fixture(options);
  ModelInferResponse response;
  ASSERT_TRUE(fixture.Infer(With("tenant", "careful"), &response).ok());
  EXPECT_GE(response.parameters().at("expected_accuracy_bp").int64_param(), 9200);
  ASSERT_TRUE(fixture.Infer(With("tenant", "default"), &response).ok());
  EXPECT_EQ(response.parameters().at("operating_point").string_param(), "w1a1");
}

TEST(ServerInferenceTest, AFailingNetworkFailsThatCallOnly) {
  ServerFixture fixture(Options(), [](int point, int) {
    return point == SumNetwork::kFp32 ? absl::InternalError("broken kernel") : absl::OkStatus();
  });
  const grpc::Status status = fixture.Infer(Pinned("fp32"));
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("broken kernel"));
  EXPECT_TRUE(fixture.Infer(Pinned("w8a8")).ok());
}

struct Malformed {
  const char* what;
  std::function<void(ModelInferRequest&)> spoil;
  StatusCode code;
  const char* part_of_message;
};

const std::vector<Malformed>& MalformedRequests() {
  using R = ModelInferRequest;
  constexpr StatusCode kInvalid = StatusCode::INVALID_ARGUMENT;
  static const auto* const kAll = new std::vector<Malformed>{
      {"empty", [](R& r) { r.Clear(); }, StatusCode::NOT_FOUND, "unknown model: '' is not found"},
      {"unknown model", [](R& r) { r.set_model_name("../sums"); }, StatusCode::NOT_FOUND, "'../sums'"},
      {"name of 64 KiB", [](R& r) { r.set_model_name(std::string(65536, 'x')); }, StatusCode::NOT_FOUND, "xxx...'"},
      {"unknown version", [](R& r) { r.set_model_version("8"); }, StatusCode::NOT_FOUND, "version 8"},
      {"version without number", [](R& r) { r.set_model_version("1e9"); }, kInvalid, "version string '1e9'"},
      {"no input", [](R& r) { r.clear_inputs(); }, kInvalid, "expected 1 inputs but got 0"},
      {"wrong input", [](R& r) { r.mutable_inputs(0)->set_name("x"); }, kInvalid, "missing required input(s)"},
      {"wrong datatype", [](R& r) { r.mutable_inputs(0)->set_datatype("FP32"); }, kInvalid, "expected 'UINT8'"},
      {"rank 0", [](R& r) { r.mutable_inputs(0)->clear_shape(); }, kInvalid, "Expected [-1,2,2,1], got []"},
      {"batch 0", [](R& r) { r.mutable_inputs(0)->set_shape(0, 0); }, kInvalid, "got [0,2,2,1]"},
      {"batch -1", [](R& r) { r.mutable_inputs(0)->set_shape(0, -1); }, kInvalid, "got [-1,2,2,1]"},
      {"batch above the limit", [](R& r) { r.mutable_inputs(0)->set_shape(0, 5); }, kInvalid, "must be <= 4"},
      {"overflowing shape",
       [](R& r) {
         r.mutable_inputs(0)->set_shape(1, int64_t{1} << 62);
         r.mutable_inputs(0)->set_shape(2, int64_t{1} << 62);
       },
       kInvalid, "unexpected shape"},
      {"raw contents too short", [](R& r) { r.set_raw_input_contents(0, "abc"); }, kInvalid, "Expected 4, got 3"},
      {"raw contents too many", [](R& r) { r.add_raw_input_contents("abcd"); }, kInvalid, "expected 1 entry"},
      {"no contents", [](R& r) { r.clear_raw_input_contents(); }, kInvalid, "unable to find data"},
      {"raw and typed contents", [](R& r) { r.mutable_inputs(0)->mutable_contents()->add_uint_contents(1); }, kInvalid,
       "must not be specified when using raw_input_contents"},
      {"typed contents out of range",
       [](R& r) {
         r.clear_raw_input_contents();
         for (int i = 0; i < 4; ++i) r.mutable_inputs(0)->mutable_contents()->add_uint_contents(256);
       },
       kInvalid, "is 256, not from 0 to 255"},
      {"negative timeout", [](R& r) { (*r.mutable_parameters())["timeout"].set_int64_param(-1); }, kInvalid,
       "expected value >= 0"},
      {"timeout of the wrong type", [](R& r) { (*r.mutable_parameters())["timeout"].set_string_param("1"); }, kInvalid,
       "expected int64_param"},
      {"parameter without value", [](R& r) { (*r.mutable_parameters())["custom"].Clear(); }, kInvalid, "'custom'"},
      {"reserved parameter", [](R& r) { (*r.mutable_parameters())["triton_x"].set_bool_param(true); }, kInvalid,
       "reserved"},
      {"unsatisfiable floor", [](R& r) { (*r.mutable_parameters())["min_accuracy_bp"].set_int64_param(9999); },
       kInvalid, "the best available has 9300"},
      {"unknown point", [](R& r) { (*r.mutable_parameters())["operating_point"].set_string_param("w9a9"); }, kInvalid,
       "known: fp32, w8a8, w4a4f, w1a1"},
      {"unknown output", [](R& r) { r.add_outputs()->set_name("x"); }, kInvalid, "unexpected inference output 'x'"},
      {"larger than any legal request", [](R& r) { r.set_id(std::string(1 << 20, 'x')); },
       StatusCode::RESOURCE_EXHAUSTED, "larger than max"},
  };
  return *kAll;
}

TEST_F(SharedServerTest, MalformedRequestsAreAnsweredWithCodeAndMessageAndTheServerServesOn) {
  for (const Malformed& malformed : MalformedRequests()) {
    ModelInferRequest request = Request();
    malformed.spoil(request);
    const grpc::Status status = shared_->Infer(request);
    EXPECT_EQ(status.error_code(), malformed.code) << malformed.what;
    EXPECT_THAT(status.error_message(), HasSubstr(malformed.part_of_message)) << malformed.what;
    EXPECT_TRUE(shared_->Infer(Request()).ok()) << "after " << malformed.what;
  }
}

TEST_F(SharedServerTest, AValidTraceParentComesBackAsTrailingMetadata) {
  const std::string valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  for (const std::string& sent : {valid, std::string("00-other")}) {
    grpc::ClientContext context;
    context.AddMetadata("traceparent", sent);
    inference::ModelInferResponse response;
    ASSERT_TRUE(shared_->stub().ModelInfer(&context, Request(), &response).ok());
    const auto& trailing = context.GetServerTrailingMetadata();
    const auto found = trailing.find("traceparent");
    EXPECT_EQ(found == trailing.end() ? "" : std::string(found->second.data(), found->second.size()),
              sent == valid ? valid : "");
  }
}

}  // namespace
}  // namespace anybit::server
