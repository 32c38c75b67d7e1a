// A server whose memory ends: one request fails, the process lives. This program's operator new fails when told to.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "proto/inference.grpc.pb.h"
#include "server/call_intake.h"
#include "server/options.h"
#include "server/testing/raw_call.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

std::atomic<size_t> failing_size = 0;   // the next allocation of exactly this size fails; 0: none
std::atomic<bool> fails_twice = false;  // then the next one of the same thread fails, too, whatever its size
thread_local bool fails_next = false;
thread_local bool is_client = false;  // whose allocations do not fail

bool Fails(size_t bytes) {
  if (std::exchange(fails_next, false)) return true;
  size_t expected = bytes;
  if (bytes == 0 || is_client || failing_size != bytes) return false;
  if (!failing_size.compare_exchange_strong(expected, 0)) return false;
  fails_next = fails_twice;
  return true;
}

}  // namespace
}  // namespace anybit::server

void* operator new(size_t bytes) {
  void* memory = anybit::server::Fails(bytes) ? nullptr : std::malloc(std::max<size_t>(bytes, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace anybit::server {
namespace {

using ::testing::HasSubstr;
using testing::RawCall;
using testing::ServerFixture;

constexpr int kRows = 4096;  // 16 KiB of input, 48 KiB of output

// No other allocation has these sizes, gRPC's carry a header: the message's tensor, which is the input, too; the
// outputs; the response, with the id of testing::Request and room beside the logits.
constexpr size_t kSizes[] = {kRows * 4 + 1, kRows * 3 * 4, kRows * 3 * 4 + 512 + 15 + 1};

inference::ModelInferRequest LargeRequest() { return testing::Request(std::string(kRows * 4, 'a')); }

ServerOptions Options() {
  ServerOptions options = testing::Options();
  options.profile = "";
  options.max_batch = kRows;
  return options;
}

// Fails the next allocation of this size in the server while `call` runs.
template <typename Call>
auto WithFailure(size_t size, Call call) {
  is_client = true;
  failing_size = size;
  const auto result = call();
  EXPECT_EQ(failing_size, 0u) << "nothing of " << size << " bytes was allocated";
  failing_size = 0;
  return result;
}

TEST(AllocationFailureTest, EndsOneRequestWhereverItHappensAndTheServerServesOn) {
  ServerFixture fixture(Options());
  const inference::ModelInferRequest request = LargeRequest();
  ASSERT_TRUE(fixture.Infer(request).ok());
  for (const size_t size : kSizes) {
    SCOPED_TRACE(size);
    const grpc::Status status = WithFailure(size, [&] { return fixture.Infer(request); });
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("no memory left for"));
    EXPECT_TRUE(fixture.Infer(request).ok());
  }
}

TEST(AllocationFailureTest, EndsOneRequestWhereThereIsNoMemoryToSaySoEither) {
  ServerFixture fixture(Options());
  const inference::ModelInferRequest request = LargeRequest();
  ASSERT_TRUE(fixture.Infer(request).ok());
  fails_twice = true;
  for (const size_t size : kSizes) {
    SCOPED_TRACE(size);
    const grpc::Status status = WithFailure(size, [&] { return fixture.Infer(request); });
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    EXPECT_EQ(status.error_message(), "no memory left");
    EXPECT_TRUE(fixture.Infer(request).ok());
  }
  fails_twice = false;
}

TEST(AllocationFailureTest, AnswersARequestOfAStreamWithItsErrorAndTheStreamGoesOn) {
  ServerFixture fixture(Options());
  const std::string request = LargeRequest().SerializeAsString();
  is_client = true;
  {
    RawCall stream(fixture.channel(), "/inference.GRPCInferenceService/ModelStreamInfer");
    const auto infer = [&] {
      std::string bytes;
      EXPECT_TRUE(stream.Write(request));
      EXPECT_TRUE(stream.Read(&bytes));
      inference::ModelStreamInferResponse response;
      EXPECT_TRUE(response.ParseFromString(bytes));
      return response.infer_response().outputs_size() == 1;
    };
    ASSERT_TRUE(infer());
    for (const bool twice : {false, true}) {
      fails_twice = twice;
      // The message's tensor, the outputs.
      for (const size_t size : {kRows * 4 + 1, kRows * 3 * 4}) {
        SCOPED_TRACE(size);
        EXPECT_FALSE(WithFailure(size, infer));
        EXPECT_TRUE(infer());
      }
    }
    fails_twice = false;
    EXPECT_TRUE(stream.WritesDone());
    EXPECT_TRUE(stream.Finish().ok());
  }
  absl::Notification drained;
  fixture.server().Drain([&] { drained.Notify(); });
  drained.WaitForNotification();
}

TEST(AllocationFailureTest, ACallThatCouldNotBeAskedForIsAskedForLater) {
  ServerFixture fixture(Options());
  EXPECT_TRUE(WithFailure(sizeof(IncomingCall), [&] { return fixture.Infer(LargeRequest()); }).ok());
  EXPECT_TRUE(fixture.Infer(LargeRequest()).ok());
}

TEST(AllocationFailureTest, ACallWhoseMethodCouldNotBeStoredIsLostAndTheOthersAreServed) {
  ServerFixture fixture(Options());
  ASSERT_TRUE(fixture.Infer(LargeRequest()).ok());
  const std::string method = "/" + std::string(1000, 'x');
  is_client = true;
  {
    std::string nothing;
    RawCall served(fixture.channel(), method);
    EXPECT_FALSE(served.Read(&nothing));
    EXPECT_EQ(served.Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
  failing_size = method.size() + 1;  // the front knows this method by now and stores it no more
  {
    RawCall lost(fixture.channel(), method);
    while (failing_size != 0) std::this_thread::yield();
  }  // cancels it
  EXPECT_TRUE(fixture.Infer(LargeRequest()).ok());
}

}  // namespace
}  // namespace anybit::server
