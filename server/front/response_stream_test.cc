#include "server/front/response_stream.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/front/testing/frames.h"

namespace anybit::server {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

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
    EXPECT_EQ(responses.output(), settings + (cut < kFrameHeaderBytes ? kInjected + data : data + kInjected)) << cut;
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

std::string Goaway(uint32_t last_stream) {
  std::string payload;
  AppendNumber(payload, last_stream, 4);
  AppendNumber(payload, 0, 4);
  return FrameOf(FrameType::kGoaway, 0, 0, payload + "reason");
}

// The calls that frames name as the last ones.
std::vector<uint32_t> LastStreamsIn(absl::string_view bytes) {
  std::vector<uint32_t> streams;
  for (const testing::Frame& frame : testing::FramesOf(bytes)) {
    if (frame.head.type == FrameType::kGoaway) streams.push_back(ReadNumber(frame.payload.data(), 4));
  }
  return streams;
}

TEST_F(ResponseStreamTest, TheLastCallThatIsLookedAtNeverRises) {
  responses_.Take(FrameOf(FrameType::kSettings, 0, 0, ""));
  responses_.Take(Goaway(kLastPossibleStream) + Goaway(9));
  responses_.InjectGoaway(11, 0);
  responses_.InjectGoaway(5, 0);
  responses_.Take(Goaway(kLastPossibleStream) + Goaway(7) + Goaway(3));
  EXPECT_THAT(LastStreamsIn(responses_.output()), ElementsAre(kLastPossibleStream, 9, 9, 5, 5, 5, 3));
  EXPECT_EQ(responses_.last_stream(), 3);
}

TEST_F(ResponseStreamTest, ItDoesNotRiseWhereverGrpcsFrameIsCut) {
  const std::string goaway = Goaway(3);
  for (size_t cut = 0; cut <= goaway.size(); ++cut) {
    ResponseStream responses(limit_);
    responses.Take(FrameOf(FrameType::kSettings, 0, 0, "") + goaway.substr(0, cut));
    responses.InjectGoaway(5, 0);
    responses.Take(goaway.substr(cut));
    const std::vector<uint32_t> streams = LastStreamsIn(responses.output());
    ASSERT_THAT(streams, SizeIs(2)) << cut;
    EXPECT_GE(streams[0], streams[1]) << cut;
    EXPECT_EQ(streams[1], 3) << cut;
  }
}

TEST_F(ResponseStreamTest, CallsThatGrpcIgnoresEnd) {
  for (const uint32_t stream : {1, 3, 5, 7}) responses_.Open(stream, 0, /*is_own=*/false);
  responses_.Take(FrameOf(FrameType::kSettings, 0, 0, "") + Goaway(3));
  EXPECT_EQ(limit_.inside(), 2);
  EXPECT_EQ(responses_.open_calls(), 2);
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
