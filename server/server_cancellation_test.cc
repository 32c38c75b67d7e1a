// Calls that end before their answer: cancelled, or past their gRPC deadline.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/testing/gate.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using std::chrono::milliseconds;
using testing::Call;
using testing::Ended;
using testing::Gate;
using testing::Metric;
using testing::Options;
using testing::Request;
using testing::ServerFixture;
using testing::WaitUntil;

TEST(ServerCancellationTest, ACancelledCallThatWaitsEndsAndTheOthersAreServed) {
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  Call running(fixture.stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(fixture.stub(), Request());
  Call other(fixture.stub(), Request());
  WaitUntil([&] { return Metric(fixture.server(), "anybit_queue_requests"); }, 2);
  waiting.Cancel();
  EXPECT_EQ(waiting.Wait().error_code(), StatusCode::CANCELLED);
  WaitUntil([&] { return Ended(fixture.server(), "cancelled"); }, 1);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_TRUE(other.Wait().ok());
  EXPECT_EQ(gate.rows_begun(), 2) << "the cancelled one's row ran";
}

TEST(ServerCancellationTest, ACallCancelledWhileItRunsIsCountedAsCancelledAndLeavesItsServerWhole) {
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  // A cancellation that reaches the server after the run was let go finds the call served: then once more.
  int calls = 0;
  while (Ended(fixture.server(), "cancelled") == 0 && calls < 200) {
    ++calls;
    Call running(fixture.stub(), Request());
    gate.WaitUntilARunBegan();
    running.Cancel();
    EXPECT_EQ(running.Wait().error_code(), StatusCode::CANCELLED);
    gate.Open();
    WaitUntil([&] { return Ended(fixture.server(), "served") + Ended(fixture.server(), "cancelled"); }, calls);
    gate.Close();
  }
  EXPECT_EQ(Ended(fixture.server(), "cancelled"), 1);
  EXPECT_EQ(Ended(fixture.server(), "served"), calls - 1);
  gate.Open();
  EXPECT_TRUE(fixture.Infer(Request()).ok());
}

TEST(ServerCancellationTest, ACallWhoseGrpcDeadlinePassesWhileItWaitsIsCountedAsExpired) {
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  Call running(fixture.stub(), Request());
  gate.WaitUntilARunBegan();
  Call waiting(fixture.stub(), Request(), milliseconds(50));
  EXPECT_EQ(waiting.Wait().error_code(), StatusCode::DEADLINE_EXCEEDED);
  WaitUntil([&] { return Ended(fixture.server(), "expired"); }, 1);
  EXPECT_EQ(Ended(fixture.server(), "cancelled"), 0);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
}

TEST(ServerCancellationTest, ACallWhoseGrpcDeadlinePassesWhileItRunsIsCountedAsMissed) {
  constexpr milliseconds kTimeout(300);
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  Call running(fixture.stub(), Request(), kTimeout);
  gate.WaitUntilARunBegan();
  EXPECT_EQ(running.Wait().error_code(), StatusCode::DEADLINE_EXCEEDED);
  // This one came later and may wait as long: when it has expired, the other's deadline has passed by every clock.
  Call waiting(fixture.stub(), Request(), kTimeout);
  EXPECT_EQ(waiting.Wait().error_code(), StatusCode::DEADLINE_EXCEEDED);
  WaitUntil([&] { return Ended(fixture.server(), "expired"); }, 1);
  gate.Open();
  const std::string missed = "anybit_slo_requests_total{met=\"false\",sla_class=\"default\"}";
  WaitUntil([&] { return Metric(fixture.server(), missed); }, 2);
  EXPECT_EQ(Ended(fixture.server(), "served"), 1);
  EXPECT_EQ(Ended(fixture.server(), "cancelled"), 0);
}

TEST(ServerCancellationTest, CancellationsThatRaceWithTheirAnswersHarmNothing) {
  ServerFixture fixture(Options());
  for (int round = 0; round < 50; ++round) {
    std::vector<std::unique_ptr<Call>> calls;
    for (int i = 0; i < 20; ++i) calls.push_back(std::make_unique<Call>(fixture.stub(), Request()));
    for (auto& call : calls) call->Cancel();
    for (auto& call : calls) {
      const StatusCode code = call->Wait().error_code();
      EXPECT_TRUE(code == StatusCode::OK || code == StatusCode::CANCELLED) << code;
    }
  }
  EXPECT_TRUE(fixture.Infer(Request()).ok());
}

}  // namespace
}  // namespace anybit::server
