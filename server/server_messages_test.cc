// Calls whose message is incomplete, late, too large or no message at all; their memory comes back.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/inference.grpc.pb.h"
#include "server/testing/raw_call.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using inference::ModelInferRequest;
using std::chrono::milliseconds;
using testing::Call;
using testing::CallRaw;
using testing::Ended;
using ::testing::HasSubstr;
using testing::Metric;
using testing::Options;
using testing::RawCall;
using testing::RefusedCalls;
using testing::Request;
using testing::ServerFixture;
using testing::WaitUntil;

TEST(ServerMessagesTest, AMessageThatCannotBeParsedIsInvalidAndCounted) {
  ServerFixture fixture(Options());
  const grpc::Status status = CallRaw(fixture.channel(), "/inference.GRPCInferenceService/ModelInfer", "\xff\xff\xff");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("cannot be parsed"));
  EXPECT_EQ(RefusedCalls(fixture.server(), "malformed_message"), 1);
  EXPECT_EQ(Ended(fixture.server(), "invalid"), 1);
  EXPECT_TRUE(fixture.Infer(Request()).ok());
}

TEST(ServerMessagesTest, ACallThatEndsBeforeItsMessageIsCounted) {
  ServerFixture fixture(Options());
  RawCall call(fixture.channel(), "/inference.GRPCInferenceService/ModelInfer");
  call.WritesDone();
  EXPECT_EQ(call.Finish().error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(RefusedCalls(fixture.server(), "incomplete_message"), 1);
}

TEST(ServerMessagesTest, ACallWhoseMessageDoesNotComeInTimeEndsAndHoldsNoMemory) {
  ServerOptions options = Options();
  options.connections.read_timeout = milliseconds(1);
  ServerFixture fixture(options);
  for (const char* method : {"ModelInfer", "ServerReady"}) {
    RawCall call(fixture.channel(), std::string("/inference.GRPCInferenceService/") + method);
    const grpc::Status status = call.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
    EXPECT_EQ(status.error_message(), "the call's message was not complete within 1ms (--read_timeout)");
  }
  EXPECT_EQ(RefusedCalls(fixture.server(), "incomplete_message"), 1);
  WaitUntil([&] { return Metric(fixture.server(), "anybit_request_memory_bytes"); }, 0);
}

TEST(ServerMessagesTest, AMessageLargerThanAnyLegalRequestIsCounted) {
  ServerFixture fixture(Options());
  ModelInferRequest request = Request();
  request.set_id(std::string(1 << 20, 'x'));
  const grpc::Status status = fixture.Infer(request);
  EXPECT_THAT(status.error_message(), HasSubstr("larger than max"));
  WaitUntil([&] { return RefusedCalls(fixture.server(), "incomplete_message"); }, 1);
  WaitUntil([&] { return Metric(fixture.server(), "anybit_request_memory_bytes"); }, 0);
}

TEST(ServerMessagesTest, HowEverACallEndsItsMemoryComesBack) {
  ServerFixture fixture(Options());
  ModelInferRequest invalid = Request();
  invalid.clear_inputs();
  (void)fixture.Infer(invalid);
  (void)fixture.Infer(Request());
  (void)CallRaw(fixture.channel(), "/inference.GRPCInferenceService/ModelInfer", "\xff");
  for (int i = 0; i < 20; ++i) {
    Call call(fixture.stub(), Request());
    call.Cancel();
    (void)call.Wait();
  }
  WaitUntil([&] { return Metric(fixture.server(), "anybit_request_memory_bytes"); }, 0);
}

}  // namespace
}  // namespace anybit::server
