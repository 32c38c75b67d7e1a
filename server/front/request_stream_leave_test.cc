// A connection that takes no further calls, because the server ends or because gRPC says so.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/front/request_stream.h"
#include "server/front/testing/frames.h"
#include "server/front/testing/request_stream_test.h"

namespace anybit::server {
namespace {

using testing::ClientFrames;
using ::testing::ElementsAre;
using testing::Frame;
using ::testing::IsEmpty;
using testing::kInfer;
using testing::kLasting;
using testing::kOwn;
using ::testing::SizeIs;

using RequestStreamLeaveTest = testing::RequestStreamTest;

constexpr uint32_t kRefusedStream = 7;

std::string Ping(absl::string_view payload, uint8_t flags) {
  std::string bytes;
  AppendFrame(bytes, FrameType::kPing, flags, 0, payload);
  return bytes;
}

uint32_t LastStreamOf(const Frame& goaway) {
  EXPECT_EQ(goaway.head.type, FrameType::kGoaway);
  return ReadNumber(goaway.payload.data(), 4);
}

void ExpectRefused(const Frame& reset, uint32_t stream) {
  EXPECT_EQ(reset.head.type, FrameType::kRstStream);
  EXPECT_EQ(reset.head.stream, stream);
  EXPECT_EQ(ReadNumber(reset.payload.data(), 4), kRefusedStream);
}

TEST_F(RequestStreamLeaveTest, CallsOnTheirWayPassUntilTheClientHasConfirmedThatItLeaves) {
  requests_.Leave();
  const std::vector<Frame> told = TakeAnswers();
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(LastStreamOf(told[0]), 0x7fffffff);
  EXPECT_EQ(told[1].head.type, FrameType::kPing);

  Take(client_.Call(1, kInfer, "50m"));
  Take(Ping("another?", kAck) + Ping(told[1].payload, 0));  // neither is the answer
  EXPECT_FALSE(requests_.has_left());
  EXPECT_THAT(Passed(), ElementsAre("1 headers", "1 data"));

  Take(Ping(told[1].payload, kAck));
  EXPECT_TRUE(requests_.has_left());
  const std::vector<Frame> last = TakeAnswers();
  ASSERT_THAT(last, SizeIs(1));
  EXPECT_EQ(LastStreamOf(last[0]), 1);
}

TEST_F(RequestStreamLeaveTest, OtherPingsPassWhileItLeaves) {
  requests_.Leave();
  const std::string pings = Ping("another?", kAck) + Ping("what now", 0);
  requests_.output().clear();
  Take(pings);
  EXPECT_EQ(requests_.output(), pings);
}

TEST_F(RequestStreamLeaveTest, CallsThatComeAfterItHasLeftAreRefusedAsNotLookedAt) {
  requests_.LeaveNow();
  EXPECT_TRUE(requests_.has_left());
  EXPECT_EQ(LastStreamOf(TakeAnswers().at(0)), 0);
  Take(client_.Call(1, kInfer, "50m"));
  Take(client_.Call(3, kOwn, ""));
  const std::vector<Frame> resets = TakeAnswers();
  ASSERT_THAT(resets, SizeIs(2));
  for (int i = 0; i < 2; ++i) ExpectRefused(resets[i], 2 * i + 1);
  EXPECT_THAT(Passed(), IsEmpty());
}

TEST_F(RequestStreamLeaveTest, ACallThatWaitsWhenItLeavesStillPasses) {
  calls_ = 0;
  Take(client_.Call(1, kInfer, "50m"));
  requests_.LeaveNow();
  EXPECT_EQ(LastStreamOf(TakeAnswers().at(0)), 1);
  calls_ = 1;
  EXPECT_TRUE(Resume());
  EXPECT_THAT(Passed(), ElementsAre("1 headers"));
}

TEST_F(RequestStreamLeaveTest, AConnectionThatHasNotBegunLeavesAtOnce) {
  ResponseStream responses(limit_);
  RequestStream requests(rules_, responses);
  requests.Leave();
  EXPECT_TRUE(requests.has_left());
  const std::string bytes = ClientFrames::Begin() + client_.Call(1, kInfer, "50m");
  requests.Take(bytes, now_, Turn());
  EXPECT_THAT(HeadersOf(absl::string_view(requests.output()).substr(kPreface.size())), IsEmpty());
}

TEST_F(RequestStreamLeaveTest, ACallThatWaitsAndLastsIsRefusedAsNotLookedAt) {
  for (const char* method : {kOwn, kLasting}) {
    ResponseStream responses(limit_);
    RequestStream requests(rules_, responses);
    ClientFrames client;
    responses.Take(Settings());
    calls_ = 0;
    requests.Take(ClientFrames::Begin() + client.Call(1, method, ""), now_, Turn());
    ASSERT_TRUE(requests.is_waiting());
    responses.output().clear();
    requests.LeaveNow();
    EXPECT_FALSE(requests.is_waiting());
    const std::vector<Frame> told = testing::FramesOf(responses.output());
    ASSERT_THAT(told, SizeIs(2)) << method;
    EXPECT_EQ(LastStreamOf(told[0]), 1);
    ExpectRefused(told[1], 1);
  }
}

TEST_F(RequestStreamLeaveTest, CallsThatGrpcWouldIgnoreAreRefusedAsNotLookedAt) {
  Take(client_.Call(1, kInfer, "50m"));
  std::string goaway;
  AppendFrameHeader(goaway, {.length = 8, .type = FrameType::kGoaway});
  AppendNumber(goaway, 1, 4);
  AppendNumber(goaway, 0, 4);
  responses_.Take(goaway);
  responses_.output().clear();
  Take(client_.Call(3, kInfer, "50m"));
  const std::vector<Frame> told = TakeAnswers();
  ASSERT_THAT(told, SizeIs(1));
  ExpectRefused(told[0], 3);
  EXPECT_THAT(Passed(), ElementsAre("1 headers", "1 data"));
}

TEST_F(RequestStreamLeaveTest, ACallThatWaitsWhileGrpcBeginsToIgnoreItIsRefusedAsNotLookedAt) {
  calls_ = 0;
  Take(client_.Call(1, kInfer, "50m"));
  ASSERT_TRUE(requests_.is_waiting());
  std::string goaway;
  AppendFrameHeader(goaway, {.length = 8, .type = FrameType::kGoaway});
  AppendNumber(goaway, 0, 4);
  AppendNumber(goaway, 0, 4);
  responses_.Take(goaway);
  responses_.output().clear();
  calls_ = 1;
  EXPECT_TRUE(Resume());
  const std::vector<Frame> told = TakeAnswers();
  ASSERT_THAT(told, SizeIs(1));
  ExpectRefused(told[0], 1);
  EXPECT_THAT(Passed(), IsEmpty());
}

TEST_F(RequestStreamLeaveTest, ACallIsRefusedOnceHoweverMuchComesOfIt) {
  requests_.LeaveNow();
  Take(client_.HeadersFrame(1, {{":path", kInfer}}));
  EXPECT_THAT(TakeAnswers(), SizeIs(2));  // the end of the connection's calls, and of this one
  Take(ClientFrames::DataFrame(1, "begin", /*flags=*/0) + ClientFrames::DataFrame(1, "end"));
  EXPECT_THAT(TakeAnswers(), IsEmpty());
}

}  // namespace
}  // namespace anybit::server
