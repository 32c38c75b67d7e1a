// A front that takes no further calls, because the server ends.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio.hpp>

#include "absl/synchronization/notification.h"
#include "base/listening_sockets.h"
#include "server/front/front.h"
#include "server/front/testing/frames.h"
#include "server/front/testing/front_test.h"

namespace anybit::server {
namespace {

using namespace std::chrono_literals;
using testing::Client;
using testing::Frame;
using testing::GrpcEnd;
using FrontLeaveTest = testing::FrontTest;

TEST_F(FrontLeaveTest, TakesNoConnectionsAfterStopAccepting) {
  const auto client = Connect(1);
  std::atomic<bool> has_stopped = false;
  std::thread stopper([&] {
    front_.StopAccepting();
    has_stopped = true;
  });
  while (!has_stopped) front_.Wait(1ms);
  stopper.join();
  EXPECT_THROW(Client{port_}, boost::system::system_error);
  client->Call(1);  // others go on
  WaitForCalls(0, 2);
}

TEST_F(FrontLeaveTest, LeavesWhenEachClientHasConfirmedAndEachCallIsAnswered) {
  const auto client = Connect(1);
  std::string settings;
  AppendFrame(settings, FrameType::kSettings, 0, 0, "");
  grpc_[0]->Write(settings);
  bool is_gone = false, is_answered = false;
  front_.Leave(1h, [&] { is_gone = true; });
  const std::vector<Frame> told = client->ReadFrames(3, front_);  // the settings are the first
  EXPECT_EQ(told[1].head.type, FrameType::kGoaway);
  EXPECT_THROW(Client{port_}, boost::system::system_error);
  EXPECT_FALSE(is_gone);

  client->Call(1);
  client->Confirm(told[2].payload);
  while (!is_gone) front_.Wait(1h);
  EXPECT_EQ(grpc_[0]->Calls(), 2);

  front_.WhenAnswered([&] { is_answered = true; });
  front_.Wait(1h);
  EXPECT_FALSE(is_answered);
  std::string answers;
  AppendNumberFrame(answers, FrameType::kRstStream, 1, 0);
  AppendNumberFrame(answers, FrameType::kRstStream, 3, 0);
  grpc_[0]->Write(answers);
  while (!is_answered) front_.Wait(1h);
}

TEST_F(FrontLeaveTest, DoesNotWaitForAClientThatDoesNotConfirm) {
  const auto client = Connect(1);
  bool is_gone = false;
  front_.Leave(1s, [&] { is_gone = true; });
  front_.Wait(1h);
  EXPECT_FALSE(is_gone);
  clock_.Advance(1s);
  front_.Wait(1ms);
  EXPECT_TRUE(is_gone);
  client->Call(1);
  for (int i = 0; i < 3; ++i) front_.Wait(1ms);
  EXPECT_EQ(grpc_[0]->Calls(), 1);
}

TEST_F(FrontLeaveTest, LeavesWhoeverDeliversTheLastAnswer) {
  for (int round = 0; round < 50; ++round) {
    Front front(rules_, clock_, {.has_thread = true});
    absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    Client client(sockets->port());
    front.Listen(*std::move(sockets));
    absl::Notification is_connected, is_gone, is_answered;
    std::unique_ptr<GrpcEnd> grpc;
    front.Start([&](int descriptor) {
      grpc = std::make_unique<GrpcEnd>(descriptor);
      is_connected.Notify();
    });
    is_connected.WaitForNotification();
    client.Call(1);
    while (grpc->Calls() == 0) std::this_thread::yield();
    front.Leave(0s, [&] { is_gone.Notify(); });
    is_gone.WaitForNotification();
    front.WhenAnswered([&] { is_answered.Notify(); });
    std::string answer;
    AppendFrame(answer, FrameType::kSettings, 0, 0, "");
    AppendNumberFrame(answer, FrameType::kRstStream, 1, 0);
    grpc->Write(answer);
    front.Wake();
    is_answered.WaitForNotification();
    front.StopAccepting();
    grpc->Close();
    front.Finish(1h);
  }
}

}  // namespace
}  // namespace anybit::server
