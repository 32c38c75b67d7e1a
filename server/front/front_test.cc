// The front between real TCP connections and sockets that stand for gRPC's.
#include "server/front/front.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio.hpp>

#include "absl/synchronization/notification.h"
#include "server/front/testing/frames.h"
#include "server/testing/manual_clock.h"

namespace anybit::server {
namespace {

using namespace std::chrono_literals;
using testing::ClientFrames;
using testing::Decode;
using testing::Frame;
using testing::FramesOf;
using testing::ValueOf;

constexpr char kInfer[] = "/service/Infer", kOwn[] = "/service/Own";
constexpr int kCallsPerWait = 8, kCallsInside = 4;

// gRPC's end of a connection, as the front gave it.
class GrpcEnd {
 public:
  explicit GrpcEnd(int descriptor) : descriptor_(descriptor) {}
  ~GrpcEnd() { Close(); }
  GrpcEnd(const GrpcEnd&) = delete;
  GrpcEnd& operator=(const GrpcEnd&) = delete;

  // Calls in all that has come so far.
  int Calls() {
    char buffer[4096];
    ssize_t size;
    while ((size = recv(descriptor_, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) bytes_.append(buffer, size);
    has_ended_ = size == 0;
    int calls = 0;
    for (const Frame& frame : FramesOf(absl::string_view(bytes_).substr(std::min(bytes_.size(), kPreface.size())))) {
      calls += frame.head.type == FrameType::kHeaders ? 1 : 0;
    }
    return calls;
  }
  bool HasEnded() {
    Calls();
    return has_ended_;
  }
  // The timeout of the first call.
  std::string Timeout() {
    HeaderDecoder decoder;
    for (const Frame& frame : FramesOf(absl::string_view(bytes_).substr(kPreface.size()))) {
      if (frame.head.type == FrameType::kHeaders) return ValueOf(Decode(decoder, frame.payload), kTimeoutHeader);
    }
    return "";
  }

  void Write(absl::string_view bytes) {
    ASSERT_EQ(send(descriptor_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  void Close() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_;
  std::string bytes_;
  bool has_ended_ = false;
};

class Client {
 public:
  explicit Client(int port) : socket_(context_) {
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  }

  void Send(const std::string& bytes) { boost::asio::write(socket_, boost::asio::buffer(bytes)); }
  // `calls` more of them.
  void Call(int calls, absl::string_view timeout = "", absl::string_view method = kInfer) {
    std::string bytes = stream_ == 1 ? ClientFrames::Begin() : "";
    for (; calls > 0; --calls, stream_ += 2) bytes += frames_.Call(stream_, method, timeout);
    Send(bytes);
  }
  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    boost::system::error_code ended;
    bytes.resize(boost::asio::read(socket_, boost::asio::buffer(bytes), ended));
    return bytes;
  }
  // So many that come next, while `front` has its turns.
  std::vector<Frame> ReadFrames(size_t count, Front& front) {
    std::vector<Frame> frames;
    std::string bytes;
    while ((frames = FramesOf(bytes)).size() < count) {
      front.Wait(1ms);
      char buffer[4096];
      const ssize_t size = recv(socket_.native_handle(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (size > 0) bytes.append(buffer, size);
    }
    return frames;
  }
  // Acknowledges a ping.
  void Confirm(absl::string_view payload) {
    std::string bytes;
    AppendFrame(bytes, FrameType::kPing, kAck, 0, payload);
    Send(bytes);
  }
  void Close() { socket_.close(); }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
  ClientFrames frames_;
  uint32_t stream_ = 1;
};

class FrontTest : public ::testing::Test {
 protected:
  FrontTest() {
    absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("127.0.0.1:0");
    EXPECT_TRUE(sockets.ok()) << sockets.status();
    port_ = sockets->port();
    front_.Listen(*std::move(sockets));
    front_.Start([this](int descriptor) { grpc_.push_back(std::make_unique<GrpcEnd>(descriptor)); });
  }

  // Waits until gRPC has got so many calls of connection `i`, and any that the front would let through beside.
  void WaitForCalls(size_t i, int calls) {
    while (grpc_.size() <= i || grpc_[i]->Calls() < calls) front_.Wait(1h);
  }
  // A new connection that has made `calls` calls, all of which the front has passed.
  std::unique_ptr<Client> Connect(int calls) {
    auto client = std::make_unique<Client>(port_);
    client->Call(calls);
    WaitForCalls(grpc_.size(), calls);
    return client;
  }

  testing::ManualClock clock_;
  const FrontRules rules_ = {
      .own_methods = {kOwn}, .refused_method = kInfer, .refuse = [](Duration, bool) { return nullptr; }};
  Front front_{
      rules_,
      clock_,
      {.calls_per_wait = kCallsPerWait, .calls_inside = kCallsInside, .settle_timeout = 10s, .settle_grace = 1s}};
  int port_ = 0;
  std::vector<std::unique_ptr<GrpcEnd>> grpc_;
};

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

TEST_F(FrontTest, TakesNoConnectionsAfterStopAccepting) {
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

TEST_F(FrontTest, LeavesWhenEachClientHasConfirmedAndEachCallIsAnswered) {
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

TEST_F(FrontTest, DoesNotWaitForAClientThatDoesNotConfirm) {
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

TEST_F(FrontTest, NoMoreCallsPassThanTheIntakeLeavesUntaken) {
  int taken = 0;
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
