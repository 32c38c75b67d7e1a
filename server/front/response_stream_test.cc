#include "server/front/response_stream.h"

#include <string>

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

std::string FrameOf(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  std::string bytes;
  AppendFrame(bytes, type, flags, stream, payload);
  return bytes;
}

const std::string kInjected = FrameOf(FrameType::kHeaders, kEndHeaders | kEndStream, 7, "refused");

class ResponseStreamTest : public ::testing::Test {
 protected:
  CallLimit limit_{1};
  ResponseStream responses_{limit_};
};

TEST_F(ResponseStreamTest, PassesWhatGrpcWrites) {
  const std::string bytes = FrameOf(FrameType::kSettings, 0, 0, "") + FrameOf(FrameType::kData, 0, 1, "message");
  for (const char byte : bytes) responses_.Take({&byte, 1});
  EXPECT_EQ(responses_.output(), bytes);
}

TEST_F(ResponseStreamTest, InjectsBetweenFramesOnly) {
  const std::string settings = FrameOf(FrameType::kSettings, 0, 0, "");
  const std::string data = FrameOf(FrameType::kData, 0, 1, "message");
  for (size_t cut = 0; cut <= data.size(); ++cut) {
    ResponseStream responses(limit_);
    responses.Take(settings + data.substr(0, cut));
    responses.Inject(kInjected);
    responses.Take(data.substr(cut));
    EXPECT_EQ(responses.output(), settings + (cut == 0 ? kInjected + data : data + kInjected)) << cut;
  }
}

TEST_F(ResponseStreamTest, InjectsNothingBeforeTheFirstFrame) {
  const std::string settings = FrameOf(FrameType::kSettings, 0, 0, "");
  responses_.Inject(kInjected);
  EXPECT_EQ(responses_.output(), "");
  EXPECT_EQ(responses_.unsent(), kInjected.size());
  responses_.Take(settings);
  EXPECT_EQ(responses_.output(), settings + kInjected);
}

TEST_F(ResponseStreamTest, DoesNotInjectIntoAHeaderBlock) {
  const std::string begin = FrameOf(FrameType::kHeaders, 0, 1, "abc");
  const std::string end = FrameOf(FrameType::kContinuation, kEndHeaders, 1, "def");
  responses_.Take(begin);
  responses_.Inject(kInjected);
  EXPECT_EQ(responses_.output(), begin);
  responses_.Take(end);
  EXPECT_EQ(responses_.output(), begin + end + kInjected);
}

TEST_F(ResponseStreamTest, HeadersAreInjectedOnlyAfterGrpcHasConfirmedAnotherTable) {
  responses_.ClientSettings(/*changes_table=*/false);
  EXPECT_TRUE(responses_.MayInjectHeaders());
  responses_.ClientSettings(/*changes_table=*/true);
  responses_.Take(FrameOf(FrameType::kSettings, kAck, 0, ""));  // of the first
  responses_.Take(FrameOf(FrameType::kHeaders, kEndHeaders, 1, "before the change"));
  EXPECT_FALSE(responses_.MayInjectHeaders());
  responses_.Take(FrameOf(FrameType::kSettings, kAck, 0, ""));
  EXPECT_FALSE(responses_.MayInjectHeaders());
  responses_.Take(FrameOf(FrameType::kHeaders, kEndHeaders, 3, "says so"));
  EXPECT_TRUE(responses_.MayInjectHeaders());
}

TEST_F(ResponseStreamTest, TellsTheLimitWhenCallsEnd) {
  for (const uint32_t stream : {1, 3, 5, 7}) responses_.Open(stream, 0, /*is_own=*/false);
  EXPECT_EQ(limit_.inside(), 4);
  responses_.Take(FrameOf(FrameType::kHeaders, kEndHeaders, 1, "") + FrameOf(FrameType::kData, 0, 1, "message"));
  EXPECT_EQ(limit_.inside(), 4);
  responses_.Take(FrameOf(FrameType::kHeaders, kEndHeaders | kEndStream, 1, ""));
  EXPECT_EQ(limit_.inside(), 3);
  responses_.Take(FrameOf(FrameType::kRstStream, 0, 3, "1234"));
  EXPECT_EQ(limit_.inside(), 2);
  responses_.Close(5);
  responses_.Close(5);
  EXPECT_EQ(limit_.inside(), 1);
}

TEST_F(ResponseStreamTest, CallsOfAConnectionThatEndsEnd) {
  {
    ResponseStream responses(limit_);
    responses.Open(1, 0, /*is_own=*/false);
  }
  EXPECT_EQ(limit_.inside(), 0);
}

TEST_F(ResponseStreamTest, CallsThatGrpcServesItselfAreCountedApart) {
  responses_.Open(1, 0, /*is_own=*/true);
  EXPECT_EQ(limit_.inside(), 0);
  EXPECT_EQ(responses_.own_calls(), 1);
  responses_.Take(FrameOf(FrameType::kHeaders, kEndHeaders | kEndStream, 1, ""));
  EXPECT_EQ(responses_.own_calls(), 0);
}

}  // namespace
}  // namespace anybit::server
