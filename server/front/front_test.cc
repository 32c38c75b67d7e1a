#include "server/front/front.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "base/listening_sockets.h"
#include "server/front/testing/frames.h"
#include "server/front/testing/front_test.h"

namespace anybit::server {
namespace {

using namespace std::chrono_literals;
using testing::Client;
using testing::ClientFrames;
using testing::FrontTest;
using testing::GrpcEnd;
using testing::kCallsInside;
using testing::kCallsPerWait;
using testing::kOwn;

TEST_F(FrontTest, MovesBytesBothWays) {
  const auto client = Connect(1);
  std::string settings;
  AppendFrame(settings, FrameType::kSettings, 0, 0, "");
  grpc_[0]->Write(settings);
  front_.Wait(1h);
  EXPECT_EQ(client->Read(settings.size()), settings);
}

TEST_F(FrontTest, PassesAFewCallsOfAFloodAndNoMoreUntilItWaitsAgain) {
  const auto client = Connect(1);
  client->Call(1000);
  int passed = 1;
  for (int wait = 0; passed < 1001; ++wait) {
    ASSERT_LT(wait, 2000) << passed << " calls have passed";
    front_.Wait(1h);
    const int now = grpc_[0]->Calls();
    EXPECT_LE(now - passed, kCallsPerWait);
    passed = now;
  }
}

TEST_F(FrontTest, ALightConnectionPassesWhileOthersFlood) {
  std::vector<std::unique_ptr<Client>> floods;
  for (int i = 0; i < 3; ++i) floods.push_back(Connect(1));
  const auto light = Connect(1);
  for (const auto& flood : floods) flood->Call(500);
  // Until all of the floods wait in line.
  while (grpc_[0]->Calls() < 20 || grpc_[1]->Calls() < 20 || grpc_[2]->Calls() < 20) front_.Wait(1h);
  light->Call(1);
  WaitForCalls(3, 2);
  for (int i = 0; i < 3; ++i) EXPECT_LT(grpc_[i]->Calls(), 100) << i;
}

TEST_F(FrontTest, WhereCallsWaitForAnswersConnectionsTakeTurns) {
  const auto flood = Connect(1), light = Connect(1);
  flood->Call(500, "1m");
  WaitForCalls(0, 1 + kCallsInside);
  light->Call(1, "1m");
  for (int i = 0; i < 3; ++i) front_.Wait(1ms);
  EXPECT_EQ(grpc_[0]->Calls(), 1 + kCallsInside);
  EXPECT_EQ(grpc_[1]->Calls(), 1);
  // Answers to two calls let two pass, one of each connection.
  std::string answers;
  AppendNumberFrame(answers, FrameType::kRstStream, 3, 0);
  AppendNumberFrame(answers, FrameType::kRstStream, 5, 0);
  grpc_[0]->Write(answers);
  WaitForCalls(1, 2);
  EXPECT_LE(grpc_[0]->Calls(), 1 + kCallsInside + 1);
}

TEST_F(FrontTest, LooksAwayForATimeWhileCallsWaitForAnswers) {
  const auto flood = Connect(1);
  EXPECT_EQ(front_.pause(), Duration::zero());
  flood->Call(500, "100m");
  while (front_.pause() == Duration::zero()) front_.Wait(1ms);
  EXPECT_EQ(front_.pause(), 4ms);
}

TEST_F(FrontTest, DoesNotLookAwayFromBytesThatItHasNotReadYet) {
  const auto flood = Connect(1), other = Connect(1);
  flood->Call(500, "100m");
  while (front_.pause() == Duration::zero()) front_.Wait(1ms);
  other->Send(ClientFrames().Call(3, kOwn, "", std::string(200'000, 'x')));
  front_.Wait(1ms);
  EXPECT_EQ(front_.pause(), Duration::zero());
}

TEST_F(FrontTest, ACallThatComesWithItsConnectionHasAllOfItsTime) {
  clock_.Advance(1h);
  front_.Wait(1ms);
  Client client(port_);
  client.Call(1, "50m");
  WaitForCalls(0, 1);
  EXPECT_EQ(grpc_[0]->Timeout(), "50m");
}

TEST_F(FrontTest, AConnectionThatTheClientEndsWhileACallIsHeldEndsForGrpc) {
  constexpr int kMost = RequestStream::kMaxOwnCalls;
  const auto client = std::make_unique<Client>(port_);
  client->Call(kMost + 1, "", kOwn);
  WaitForCalls(0, kMost);
  client->Close();
  while (!grpc_[0]->HasEnded()) front_.Wait(1ms);
  EXPECT_EQ(grpc_[0]->Calls(), kMost);
}

TEST_F(FrontTest, AConnectionThatTheClientEndsEndsForGrpc) {
  const auto client = Connect(1);
  client->Close();
  while (!grpc_[0]->HasEnded()) front_.Wait(1h);
}

TEST_F(FrontTest, AConnectionThatGrpcEndsEndsForTheClientWhoGetsWhatWasWritten) {
  const auto client = Connect(1);
  grpc_[0]->Write(std::string(9, '\0'));
  grpc_[0]->Close();
  front_.Finish(1h);
  EXPECT_EQ(client->Read(100).size(), 9);
}

TEST_F(FrontTest, AClientThatDoesNotSpeakIsDisconnected) {
  Client silent(port_);
  while (grpc_.empty()) front_.Wait(1h);
  front_.Wait(1ms);
  EXPECT_FALSE(grpc_[0]->HasEnded());
  for (const Duration passed : {10s, 1s}) {
    clock_.Advance(passed);
    front_.Wait(1ms);
  }
  EXPECT_TRUE(grpc_[0]->HasEnded());
  EXPECT_EQ(silent.Read(1), "");
}

TEST_F(FrontTest, AClientThatSpeaksAndThenIsSilentStays) {
  const auto client = Connect(1);
  clock_.Advance(1h);
  front_.Wait(1ms);
  EXPECT_FALSE(grpc_[0]->HasEnded());
}

TEST_F(FrontTest, AThreadOfItsOwnMovesBytes) {
  Front front(rules_, clock_, {.has_thread = true});
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  Client client(sockets->port());
  front.Listen(*std::move(sockets));
  absl::Notification is_connected;
  front.Start([&](int descriptor) {
    grpc_.push_back(std::make_unique<GrpcEnd>(descriptor));
    is_connected.Notify();
  });
  is_connected.WaitForNotification();
  std::string settings;
  AppendFrame(settings, FrameType::kSettings, 0, 0, "");
  grpc_[0]->Write(settings);
  EXPECT_EQ(client.Read(settings.size()), settings);
  front.StopAccepting();
  grpc_[0]->Close();
  front.Finish(1h);
  EXPECT_EQ(client.Read(1), "");
}

// The answer of the only call may be delivered by the thread that calls Wake.
TEST_F(FrontTest, AConnectionMayEndInTheSecondOfTwoTurnsOfARound) {
  const auto client = Connect(1);
  client->Call(100);
  std::string out_of_place;
  AppendFrame(out_of_place, FrameType::kContinuation, 0, 1, "");
  client->Send(out_of_place);
  std::string settings;
  AppendFrame(settings, FrameType::kSettings, 0, 0, "");
  while (!grpc_[0]->HasEnded()) {
    grpc_[0]->Write(settings);  // a turn besides the one that is held
    front_.Wait(1ms);
  }
  Connect(1);
}

TEST_F(FrontTest, CallsThatAreNeverTakenDoNotHoldUpOthers) {
  FrontRules rules = rules_;
  rules.calls_taken = [] { return 0; };
  Front front(rules, clock_, {.calls_per_wait = kCallsPerWait, .calls_inside = 1000});
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  Client stuck(sockets->port()), light(sockets->port());
  front.Listen(*std::move(sockets));
  front.Start([&](int descriptor) { grpc_.push_back(std::make_unique<GrpcEnd>(descriptor)); });
  stuck.Call(kCallsPerWait);
  while (grpc_.size() < 2 || grpc_[0]->Calls() < kCallsPerWait) front.Wait(1ms);
  light.Call(1);
  while (grpc_[1]->Calls() == 0) {
    clock_.Advance(1ms);
    front.Wait(1ms);
  }
}

TEST_F(FrontTest, NoMoreCallsPassThanTheIntakeLeavesUntaken) {
  int64_t taken = 0;
  FrontRules rules = rules_;
  rules.calls_taken = [&] { return taken; };
  Front front(rules, clock_, {.calls_per_wait = kCallsPerWait, .calls_inside = 1000});
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  Client client(sockets->port());
  front.Listen(*std::move(sockets));
  front.Start([&](int descriptor) { grpc_.push_back(std::make_unique<GrpcEnd>(descriptor)); });
  client.Call(1000);
  for (; taken <= 3 * kCallsPerWait; taken += kCallsPerWait) {
    for (int i = 0; i < 20; ++i) front.Wait(1ms);
    EXPECT_EQ(grpc_[0]->Calls(), taken + kCallsPerWait);
  }
}

TEST_F(FrontTest, WakeEndsAWait) {
  front_.Wake();
  front_.Wait(1h);
  std::thread waker([&] { front_.Wake(); });
  front_.Wait(1h);
  waker.join();
}

}  // namespace
}  // namespace anybit::server
