// Processes that get signals. Each is started from the test's data, on a free port, and says what it is doing.
#include "server/serve_until_stopped.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/inference.grpc.pb.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;

class Process {
 public:
  Process(const std::string& drain_delay, const std::string& what) {
    const std::string profile = ::testing::TempDir() + "/profile.json";
    std::ofstream(profile) << testing::kSumsProfile;
    int out[2], in[2];
    if (pipe(out) != 0 || pipe(in) != 0) abort();
    id_ = fork();
    if (id_ == 0) {
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      for (int fd : {in[0], in[1], out[0], out[1]}) close(fd);
      execl("server/testing/sum_server", "sum_server", profile.c_str(), drain_delay.c_str(), what.c_str(), nullptr);
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    stdin_ = in[1];
    stdout_ = fdopen(out[0], "r");
  }
  ~Process() {
    if (id_ > 0) {
      kill(id_, SIGKILL);
      waitpid(id_, nullptr, 0);
    }
    fclose(stdout_);
    close(stdin_);
  }

  // Reads lines up to one that contains `text`, and returns it; "" if the output ends before.
  std::string ReadUntil(const std::string& text) {
    char line[512];
    while (fgets(line, sizeof(line), stdout_) != nullptr) {
      if (std::string(line).find(text) != std::string::npos) return line;
    }
    return "";
  }
  std::string ReadAddress() {
    const std::string line = ReadUntil("gRPC ");
    const auto at = line.find("127");
    return at == std::string::npos ? "" : line.substr(at, line.size() - at - 1);
  }
  void Send(int signal) { kill(id_, signal); }
  void WriteByte() { ASSERT_EQ(write(stdin_, "x", 1), 1); }

  // 128 and the signal's number if a signal ended it.
  int WaitForExit() {
    int status = 0;
    waitpid(id_, &status, 0);
    id_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t id_ = -1;
  int stdin_ = -1;
  FILE* stdout_ = nullptr;
};

constexpr char kHours[] = "9999";  // longer than any test runs

TEST(ServeUntilStoppedTest, ASignalWhileLoadingEndsTheProcessAtOnce) {
  for (int signal : {SIGTERM, SIGINT}) {
    Process process(kHours, "load-for-ever");
    process.ReadUntil("loading");
    process.Send(signal);
    EXPECT_EQ(process.WaitForExit(), 0);
  }
}

TEST(ServeUntilStoppedTest, TheAnnouncementTellsAddressPointsAndACommand) {
  Process process("0", "serve");
  EXPECT_THAT(process.ReadAddress(), HasSubstr("127.0.0.1:"));
  EXPECT_THAT(process.ReadUntil("w4a4f"), HasSubstr("90.00 %         0.010 ms             0.040 ms"));
  EXPECT_THAT(process.ReadUntil("try:"), HasSubstr("anybit-client --server 127.0.0.1:"));
  process.Send(SIGTERM);
  EXPECT_EQ(process.WaitForExit(), 0);
}

TEST(ServeUntilStoppedTest, SigtermWaitsForTheDelayAndASecondSignalEndsTheWait) {
  Process process(kHours, "serve");
  process.ReadUntil("try:");
  process.Send(SIGTERM);
  process.ReadUntil("no longer ready");
  process.Send(SIGTERM);
  process.ReadUntil("draining");
  EXPECT_EQ(process.WaitForExit(), 0);
}

TEST(ServeUntilStoppedTest, OtherSignalsThanThoseThatStopItLeaveItServing) {
  for (const bool loading : {true, false}) {
    Process process(kHours, loading ? "load-for-ever" : "serve");
    process.ReadUntil(loading ? "loading" : "try:");
    for (int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT,
                       SIGXFSZ, SIGRTMIN, SIGRTMAX}) {
      process.Send(signal);
    }
    process.Send(SIGINT);  // all are delivered before or at the same time
    EXPECT_EQ(process.WaitForExit(), 0);
  }
}

TEST(ServeUntilStoppedTest, SigquitAndSigxcpuDrainAsSigtermDoes) {
  for (int signal : {SIGQUIT, SIGXCPU}) {
    Process process("0", "serve");
    process.ReadUntil("try:");
    process.Send(signal);
    EXPECT_THAT(process.ReadUntil("draining"), HasSubstr("draining"));
    EXPECT_EQ(process.WaitForExit(), 0);
  }
}

TEST(ServeUntilStoppedTest, SigintSkipsTheDelay) {
  Process process(kHours, "serve");
  process.ReadUntil("try:");
  process.Send(SIGINT);
  EXPECT_EQ(process.WaitForExit(), 0);
}

TEST(ServeUntilStoppedTest, WhatWasAcceptedIsAnsweredBeforeTheProcessEnds) {
  Process process("0", "hold");
  const std::string address = process.ReadAddress();
  const auto stub =
      inference::GRPCInferenceService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  testing::Call call(*stub, testing::Request());
  process.ReadUntil("running");
  process.Send(SIGTERM);
  process.ReadUntil("draining");
  EXPECT_FALSE(call.ended());
  process.WriteByte();
  EXPECT_TRUE(call.Wait().ok()) << call.Wait().error_message();
  EXPECT_EQ(process.WaitForExit(), 0);
}

TEST(ServeUntilStoppedTest, WrongOptionsAreOneLineAndExitCodeTwo) {
  ::testing::internal::CaptureStderr();
  const int code = ServeUntilStopped({.artifact = "some", .max_batch = 0}, nullptr, nullptr, "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "anybit-server: --max_batch is 0, not from 1 to 4096\n");
  EXPECT_EQ(code, 2);
}

TEST(ServeUntilStoppedTest, ANetworkThatCannotBeLoadedIsOneLineAndExitCodeOne) {
  ::testing::internal::CaptureStderr();
  const int code = ServeUntilStopped(
      {.artifact = "some", .http_address = ""}, [] { return absl::InvalidArgumentError("no header in some"); }, nullptr,
      "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "anybit-server: no header in some\n");
  EXPECT_EQ(code, 1);
}

}  // namespace
}  // namespace anybit::server
