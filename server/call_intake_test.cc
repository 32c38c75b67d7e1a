// The intake with handlers that run out of memory or wait for messages, behind a real gRPC channel.
#include "server/call_intake.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/testing/manual_clock.h"
#include "server/testing/raw_call.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using testing::CallRaw;
using testing::ManualClock;
using testing::RawCall;

// Echoes its message, in a message of its own or with the answer. Its method says where memory ends.
class Echo final : public CallHandler {
 public:
  explicit Echo(IncomingCall& call) : call_(call) {}

  void OnTaken() override {
    FailAt("/taken");
    call_.Read(&message_);
  }
  void OnRead() override {
    FailAt("/read");
    if (call_.method() == "/hold") return;
    if (call_.method() == "/written") {
      call_.Write(message_);
    } else {
      call_.WriteAndFinish(message_, grpc::Status::OK);
    }
  }
  void OnWritten(bool) override { FailAt("/written"); }
  void OnCancelled() override { FailAt("/hold"); }
  void OnEnded() override { FailAt("/ended"); }

 private:
  void FailAt(const char* method) {
    if (call_.method() == method) throw std::bad_alloc();
  }

  IncomingCall& call_;
  grpc::ByteBuffer message_;
};

class CallIntakeTest : public ::testing::Test {
 protected:
  CallIntakeTest()
      : intake_(builder_, {}, clock_, [](IncomingCall& call) -> std::unique_ptr<CallHandler> {
          if (call.method() == "/routed") throw std::bad_alloc();
          return std::make_unique<Echo>(call);
        }) {
    int port = 0;
    builder_.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    server_ = builder_.BuildAndStart();
    intake_.Start();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
  }
  ~CallIntakeTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    intake_.Stop();  // returns only when every call has ended
  }

  ManualClock clock_;
  grpc::ServerBuilder builder_;
  CallIntake intake_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(CallIntakeTest, ACallThatRunsOutOfMemoryEndsAndTheOthersAreAnswered) {
  for (const char* method : {"/routed", "/taken", "/read", "/written"}) {
    const grpc::Status status = CallRaw(channel_, method, "text");
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED) << method;
    EXPECT_EQ(status.error_message(), "no memory left") << method;
    EXPECT_TRUE(CallRaw(channel_, "/echo", "text").ok()) << "after " << method;
  }
}

TEST_F(CallIntakeTest, ACallThatRunsOutOfMemoryWhenItIsCancelledEnds) {
  {
    RawCall call(channel_, "/hold");
    EXPECT_TRUE(call.Write("text"));
  }  // cancels it
  EXPECT_TRUE(CallRaw(channel_, "/echo", "text").ok());
}

TEST_F(CallIntakeTest, MemoryThatEndsAfterTheAnswerChangesNothing) {
  EXPECT_TRUE(CallRaw(channel_, "/ended", "text").ok());
  EXPECT_TRUE(CallRaw(channel_, "/echo", "text").ok());
}

// A process that was stopped sees its timeouts before it sees what came meanwhile.
TEST_F(CallIntakeTest, AMessageThatComesAfterALongStopIsRead) {
  RawCall slow(channel_, "/echo");
  EXPECT_TRUE(CallRaw(channel_, "/echo", "text").ok());  // the slow one is taken before
  clock_.Advance(std::chrono::hours(1));
  EXPECT_TRUE(CallRaw(channel_, "/echo", "text").ok());  // its thread looks at the timeouts
  EXPECT_TRUE(CallRaw(channel_, "/echo", "text").ok());
  EXPECT_TRUE(slow.WriteLast("text"));
  std::string echo;
  EXPECT_TRUE(slow.Read(&echo));
  EXPECT_EQ(echo, "text");
  EXPECT_TRUE(slow.Finish().ok());
}

TEST_F(CallIntakeTest, AMessageThatDoesNotComeInItsTimeAndGraceIsGivenUp) {
  RawCall slow(channel_, "/echo");
  EXPECT_TRUE(CallRaw(channel_, "/echo", "text").ok());
  // Each call lets the intake look.
  for (const auto passed : {std::chrono::seconds(10), std::chrono::seconds(1)}) {
    clock_.Advance(passed);
    EXPECT_TRUE(CallRaw(channel_, "/echo", "text").ok());
  }
  EXPECT_EQ(slow.Finish().error_code(), StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace anybit::server
