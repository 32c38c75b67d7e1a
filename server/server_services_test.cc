// What surrounds inference: liveness, metadata, health, reflection, and methods that are not offered.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/health.pb.h"
#include "proto/inference.grpc.pb.h"
#include "server/testing/raw_call.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using grpc::health::v1::HealthCheckResponse;
using std::chrono::seconds;
using testing::CallRaw;
using ::testing::ElementsAre;
using testing::Ended;
using ::testing::HasSubstr;
using testing::HealthOf;
using testing::Options;
using testing::RawCall;
using testing::RefusedCalls;
using testing::Request;
using testing::ServerFixture;
using testing::SharedServerTest;

TEST_F(SharedServerTest, ServerAndModelAreLiveAndReady) {
  grpc::ClientContext live, ready, model, other;
  inference::ServerLiveResponse live_response;
  ASSERT_TRUE(shared_->stub().ServerLive(&live, {}, &live_response).ok());
  EXPECT_TRUE(live_response.live());
  inference::ServerReadyResponse ready_response;
  ASSERT_TRUE(shared_->stub().ServerReady(&ready, {}, &ready_response).ok());
  EXPECT_TRUE(ready_response.ready());
  inference::ModelReadyRequest request;
  request.set_name("sums");
  inference::ModelReadyResponse response;
  ASSERT_TRUE(shared_->stub().ModelReady(&model, request, &response).ok());
  EXPECT_TRUE(response.ready());
  request.set_name("other");
  ASSERT_TRUE(shared_->stub().ModelReady(&other, request, &response).ok());
  EXPECT_FALSE(response.ready());
}

TEST_F(SharedServerTest, ServerMetadataClaimsOnlyWhatIsThere) {
  grpc::ClientContext context;
  inference::ServerMetadataResponse response;
  ASSERT_TRUE(shared_->stub().ServerMetadata(&context, {}, &response).ok());
  EXPECT_EQ(response.name(), "anybit");
  EXPECT_THAT(response.extensions(),
              ElementsAre("classification", "model_configuration", "parameters", "schedule_policy", "statistics"));
}

TEST_F(SharedServerTest, MetadataConfigAndIndexDescribeTheModel) {
  grpc::ClientContext metadata, config, index, other;
  inference::ModelMetadataRequest metadata_request;
  metadata_request.set_name("sums");
  inference::ModelMetadataResponse metadata_response;
  ASSERT_TRUE(shared_->stub().ModelMetadata(&metadata, metadata_request, &metadata_response).ok());
  EXPECT_EQ(metadata_response.properties().at("operating_points"), "fp32,w8a8,w4a4f,w1a1");

  inference::ModelConfigRequest config_request;
  config_request.set_name("sums");
  inference::ModelConfigResponse config_response;
  ASSERT_TRUE(shared_->stub().ModelConfig(&config, config_request, &config_response).ok());
  EXPECT_EQ(config_response.config().max_batch_size(), 4);
  config_request.set_name("other");
  EXPECT_EQ(shared_->stub().ModelConfig(&other, config_request, &config_response).error_code(), StatusCode::NOT_FOUND);

  inference::RepositoryIndexResponse index_response;
  ASSERT_TRUE(shared_->stub().RepositoryIndex(&index, {}, &index_response).ok());
  ASSERT_EQ(index_response.models_size(), 1);
  EXPECT_EQ(index_response.models(0).name(), "sums");
  EXPECT_EQ(index_response.models(0).version(), "7");
  EXPECT_EQ(index_response.models(0).state(), "READY");
}

TEST_F(SharedServerTest, CallsNotOfferedAreUnimplementedAndSayWhatToDoInstead) {
  grpc::ClientContext region;
  inference::SystemSharedMemoryRegisterResponse response;
  const grpc::Status status = shared_->stub().SystemSharedMemoryRegister(&region, {}, &response);
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(),
            "this server does not offer '/inference.GRPCInferenceService/SystemSharedMemoryRegister': send the tensor "
            "in raw_input_contents");
}

TEST_F(SharedServerTest, SharedMemoryIsEmptyAndUnregisteredAsAMatterOfCourse) {
  grpc::ClientContext system, cuda, unregister_system, unregister_cuda, unknown;
  inference::SystemSharedMemoryStatusResponse system_response;
  EXPECT_TRUE(shared_->stub().SystemSharedMemoryStatus(&system, {}, &system_response).ok());
  EXPECT_TRUE(system_response.regions().empty());
  inference::CudaSharedMemoryStatusResponse cuda_response;
  EXPECT_TRUE(shared_->stub().CudaSharedMemoryStatus(&cuda, {}, &cuda_response).ok());
  EXPECT_TRUE(cuda_response.regions().empty());
  inference::SystemSharedMemoryUnregisterResponse system_gone;
  EXPECT_TRUE(shared_->stub().SystemSharedMemoryUnregister(&unregister_system, {}, &system_gone).ok());
  inference::CudaSharedMemoryUnregisterResponse cuda_gone;
  EXPECT_TRUE(shared_->stub().CudaSharedMemoryUnregister(&unregister_cuda, {}, &cuda_gone).ok());
  inference::SystemSharedMemoryStatusRequest request;
  request.set_name("region");
  EXPECT_EQ(shared_->stub().SystemSharedMemoryStatus(&unknown, request, &system_response).error_code(),
            StatusCode::NOT_FOUND);
}

TEST(ServerServicesTest, StatisticsCountRequestsRowsAndBatches) {
  ServerFixture fixture(Options());
  ASSERT_TRUE(fixture.Infer(Request(std::string(12, 'x'))).ok());
  ASSERT_TRUE(fixture.Infer(Request()).ok());
  grpc::ClientContext all, named, other;
  inference::ModelStatisticsResponse response;
  ASSERT_TRUE(fixture.stub().ModelStatistics(&all, {}, &response).ok());
  ASSERT_EQ(response.model_stats_size(), 1);
  const inference::ModelStatistics& statistics = response.model_stats(0);
  EXPECT_EQ(statistics.name(), "sums");
  EXPECT_EQ(statistics.version(), "7");
  EXPECT_EQ(statistics.inference_count(), 4u);
  EXPECT_EQ(statistics.execution_count(), 2u);
  EXPECT_EQ(statistics.inference_stats().success().count(), 2u);
  EXPECT_GT(statistics.inference_stats().success().ns(), 0u);
  EXPECT_GT(statistics.last_inference(), 0u);
  inference::ModelStatisticsRequest request;
  request.set_name("sums");
  EXPECT_TRUE(fixture.stub().ModelStatistics(&named, request, &response).ok());
  request.set_name("other");
  EXPECT_EQ(fixture.stub().ModelStatistics(&other, request, &response).error_code(), StatusCode::NOT_FOUND);
}

TEST(ServerServicesTest, UnknownMethodsAreCountedAndEscaped) {
  ServerFixture fixture(Options());
  const grpc::Status status = CallRaw(fixture.channel(), "/inference.GRPCInferenceService/Modelinfer", "");
  EXPECT_EQ(status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("'/inference.GRPCInferenceService/Modelinfer'"));
  EXPECT_EQ(CallRaw(fixture.channel(), "/no.Such/" + std::string(2000, 'x'), "").error_code(),
            StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(RefusedCalls(fixture.server(), "unknown_method"), 2);
  EXPECT_EQ(Ended(fixture.server(), "invalid"), 0);
}

TEST_F(SharedServerTest, HealthKnowsLivenessReadinessAndTheService) {
  for (const char* service : {"", "liveness", "readiness", "inference.GRPCInferenceService"}) {
    EXPECT_EQ(HealthOf(*shared_, service), HealthCheckResponse::SERVING) << service;
  }
  EXPECT_EQ(HealthOf(*shared_, "other"), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST(ServerServicesTest, AWatchOfHealthTellsEachChangeAndEndsWithTheServer) {
  ServerFixture fixture(Options());
  RawCall watch(fixture.channel(), "/grpc.health.v1.Health/Watch");
  EXPECT_TRUE(watch.WriteLast("\x0a\x09readiness"));
  std::string response;
  EXPECT_TRUE(watch.Read(&response));
  EXPECT_EQ(response, "\x08\x01");
  watch.StartRead();
  fixture.server().StopBeingReady();
  EXPECT_TRUE(watch.FinishRead(&response));
  EXPECT_EQ(response, "\x08\x02");
  watch.StartRead();
  fixture.server().Stop(seconds(20));
  EXPECT_FALSE(watch.FinishRead(&response));
  EXPECT_EQ(watch.Finish().error_code(), StatusCode::UNAVAILABLE);
}

// What reflection answers to the bytes of a ServerReflectionRequest.
std::string Reflect(const std::shared_ptr<grpc::Channel>& channel, const std::string& request) {
  RawCall stream(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  EXPECT_TRUE(stream.Write(request));
  std::string response;
  EXPECT_TRUE(stream.Read(&response));
  EXPECT_TRUE(stream.WritesDone());
  EXPECT_TRUE(stream.Finish().ok());
  return response;
}

TEST_F(SharedServerTest, ReflectionListsTheServices) {
  const std::string services = Reflect(shared_->channel(), std::string("\x3a\x00", 2));  // list_services: field 7, ""
  EXPECT_THAT(services, HasSubstr("inference.GRPCInferenceService"));
  EXPECT_THAT(services, HasSubstr("grpc.health.v1.Health"));
}

TEST_F(SharedServerTest, ReflectionDescribesEachServiceThatItLists) {
  for (const auto& [service, method] : {std::pair<std::string, std::string>("grpc.health.v1.Health", "Watch"),
                                        {"inference.GRPCInferenceService", "ModelInfer"},
                                        {"anybit.v1.Feedback", "Report"},
                                        {"grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo"}}) {
    // file_containing_symbol: field 4.
    const std::string file =
        Reflect(shared_->channel(), std::string("\x22") + static_cast<char>(service.size()) + service);
    EXPECT_THAT(file, HasSubstr(method)) << service;
  }
}

}  // namespace
}  // namespace anybit::server
