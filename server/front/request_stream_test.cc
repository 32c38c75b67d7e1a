#include "server/front/request_stream.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/front/testing/frames.h"
#include "server/front/testing/request_stream_test.h"

namespace anybit::server {
namespace {

using namespace std::chrono_literals;
using testing::ClientFrames;
using ::testing::ElementsAre;
using testing::Frame;
using testing::FramesOf;
using testing::Headers;
using ::testing::IsEmpty;
using testing::kInfer;
using testing::kLasting;
using testing::kOther;
using testing::kOwn;
using testing::RequestStreamTest;
using ::testing::SizeIs;
using testing::ValueOf;

TEST_F(RequestStreamTest, PassesCallsWithTheirHeadersAndMessages) {
  const std::string call = client_.Call(1, kInfer, "50m");
  EXPECT_EQ(Take(call), call.size());
  EXPECT_THAT(Passed(), ElementsAre("1 headers", "1 data"));
  EXPECT_EQ(ValueOf(PassedHeaders()[0], "grpc-timeout"), "50m");
  EXPECT_EQ(ValueOf(PassedHeaders()[0], ":path"), kInfer);
  EXPECT_THAT(responses_.output(), IsEmpty());
  EXPECT_EQ(limit_.inside(), 1);
  EXPECT_EQ(calls_, 999);
}

TEST_F(RequestStreamTest, BytesMayComeOneByOne) {
  for (const uint32_t stream : {1, 3}) {
    for (const char byte : client_.Call(stream, kInfer, "50m")) Take({&byte, 1});
  }
  EXPECT_THAT(Passed(), ElementsAre("1 headers", "1 data", "3 headers", "3 data"));
}

TEST_F(RequestStreamTest, HeaderBlocksMayBePaddedAndCut) {
  const std::string block = client_.HeaderBlock({{":path", kInfer}, {"grpc-timeout", "50m"}});
  std::string bytes;
  const std::string padded = std::string(1, '\3') + "12345" + block.substr(0, 4) + "pad";
  AppendFrame(bytes, FrameType::kHeaders, kPadded | kHasPriority, 1, padded);
  AppendFrame(bytes, FrameType::kContinuation, kEndHeaders, 1, block.substr(4));
  Take(bytes);
  ASSERT_THAT(PassedHeaders(), SizeIs(1));
  EXPECT_EQ(ValueOf(PassedHeaders()[0], "grpc-timeout"), "50m");
}

TEST_F(RequestStreamTest, LargeHeaderBlocksAreCutAgain) {
  const std::string block = client_.HeaderBlock({{":path", kOther}, {"large-bin", std::string(40'000, '\1')}});
  std::string bytes;
  AppendFrame(bytes, FrameType::kHeaders, kEndStream, 1, block.substr(0, kMaxPayload));
  AppendFrame(bytes, FrameType::kContinuation, kEndHeaders, 1, block.substr(kMaxPayload));
  Take(bytes);
  const std::vector<Frame> frames = FramesOf(absl::string_view(requests_.output()).substr(kPreface.size()));
  ASSERT_GT(frames.size(), 2);
  EXPECT_EQ(frames[1].head.flags, kEndStream);
  EXPECT_EQ(frames.back().head.flags, kEndHeaders);
  EXPECT_EQ(frames.back().head.type, FrameType::kContinuation);
  for (const Frame& frame : frames) EXPECT_LE(frame.head.length, kMaxPayload);
}

TEST_F(RequestStreamTest, ACallThatCannotBeAnsweredIsRefusedAndGrpcHearsNothingOfIt) {
  refuse_below_ = 30ms;
  Take(client_.Call(1, kInfer, "20m"));
  Take(client_.Call(3, kInfer, "50m"));
  EXPECT_THAT(Passed(), ElementsAre("3 headers", "3 data"));
  ASSERT_THAT(Answers(), SizeIs(1));
  EXPECT_EQ(ValueOf(Answers()[0], "grpc-status"), "8");
  EXPECT_EQ(FramesOf(responses_.output())[0].head.stream, 1);
  EXPECT_TRUE(FramesOf(responses_.output())[0].head.has(kEndStream));
}

TEST_F(RequestStreamTest, OnlyCallsOfTheMethodThatHaveADeadlineAreRefused) {
  refuse_below_ = Duration::max();
  Take(client_.Call(1, kInfer, ""));
  Take(client_.Call(3, kOther, "1m"));
  Take(client_.Call(5, kOwn, "1m"));
  EXPECT_THAT(PassedHeaders(), SizeIs(3));
  EXPECT_THAT(responses_.output(), IsEmpty());
}

TEST_F(RequestStreamTest, FlowControlOfARefusedCallIsGivenBack) {
  refuse_below_ = 1h;
  for (const uint32_t stream : {1, 3}) Take(client_.Call(stream, kInfer, "20m", std::string(5000, 'x')));
  const std::vector<Frame> frames = FramesOf(responses_.output());
  ASSERT_THAT(frames, SizeIs(3));
  EXPECT_EQ(frames[2].head.type, FrameType::kWindowUpdate);
  EXPECT_EQ(frames[2].head.stream, 0);
  EXPECT_EQ(ReadNumber(frames[2].payload.data(), 4), 10'000);
}

TEST_F(RequestStreamTest, TheRestOfALargeRefusedMessageIsNotWanted) {
  refuse_below_ = 1h;
  Take(client_.HeadersFrame(1, {{":path", kInfer}, {"grpc-timeout", "1m"}}) + ClientFrames::DataFrame(1, "part", 0));
  const std::vector<Frame> frames = FramesOf(responses_.output());
  ASSERT_THAT(frames, SizeIs(2));
  EXPECT_EQ(frames[1].head.type, FrameType::kRstStream);
  EXPECT_EQ(frames[1].head.stream, 1);
}

TEST_F(RequestStreamTest, WithoutCallsLeftACallWaitsAndAllThatFollows) {
  calls_ = 1;
  const std::string first = client_.Call(1, kInfer, "50m"), second = client_.Call(3, kInfer, "50m");
  const size_t taken = Take(first + second);
  EXPECT_EQ(taken, first.size() + second.size() - ClientFrames::DataFrame(3, "message").size());
  EXPECT_TRUE(requests_.is_waiting());
  EXPECT_EQ(Take("more"), 0);
  EXPECT_FALSE(Resume());
  calls_ = 1;
  EXPECT_TRUE(Resume());
  Take(ClientFrames::DataFrame(3, "message"));
  EXPECT_THAT(Passed(), ElementsAre("1 headers", "1 data", "3 headers", "3 data"));
}

TEST_F(RequestStreamTest, ACallThatTheLimitDoesNotAllowWaits) {
  CallLimit one(1);
  ResponseStream responses(one);
  RequestStream requests(rules_, responses);
  FrontTurn turn{.now = now_, .calls = calls_, .for_intake = for_intake_, .limit = one};
  requests.Take(ClientFrames::Begin() + client_.Call(1, kInfer, "1m"), now_, turn);
  requests.Take(client_.Call(3, kInfer, "1m"), now_, turn);
  EXPECT_TRUE(requests.is_waiting());
  responses.Close(1);
  EXPECT_TRUE(requests.Resume(turn));
}

TEST_F(RequestStreamTest, TheTimeThatACallWasHeldIsTakenFromItsDeadline) {
  calls_ = 0;
  Take(client_.Call(1, kInfer, "50m"));
  now_ += 2ms;
  calls_ = 1;
  EXPECT_TRUE(Resume());
  EXPECT_EQ(asked_left_, 48ms);
  EXPECT_EQ(ValueOf(PassedHeaders()[0], "grpc-timeout"), "48000u");
}

TEST_F(RequestStreamTest, ACallThatWaitsTooLongIsRefused) {
  calls_ = 0;
  Take(client_.Call(1, kInfer, "80m"));
  now_ += 10ms;
  EXPECT_FALSE(Resume());
  EXPECT_FALSE(asked_must_);
  now_ += 1ms;
  EXPECT_TRUE(Resume());
  EXPECT_TRUE(asked_must_);
  EXPECT_THAT(Passed(), IsEmpty());
  EXPECT_THAT(Answers(), SizeIs(1));
}

TEST_F(RequestStreamTest, ACallWithoutADeadlineWaitsAsLongAsItMust) {
  calls_ = 0;
  Take(client_.Call(1, kInfer, ""));
  now_ += 1h;
  EXPECT_FALSE(Resume());
}

TEST_F(RequestStreamTest, CallsThatGrpcServesItselfWaitForEachOther) {
  calls_ = 2 * RequestStream::kMaxOwnCalls;
  for (uint32_t i = 0; i < RequestStream::kMaxOwnCalls; ++i) Take(client_.Call(2 * i + 1, kOwn, ""));
  EXPECT_FALSE(requests_.is_waiting());
  Take(client_.Call(2 * RequestStream::kMaxOwnCalls + 1, kOwn, ""));
  EXPECT_TRUE(requests_.is_waiting());
  responses_.Close(1);
  EXPECT_TRUE(Resume());
}

TEST_F(RequestStreamTest, CallsThatTheIntakeTakesAreCounted) {
  Take(client_.Call(1, kInfer, "50m"));
  Take(client_.Call(3, kOther, ""));
  Take(client_.Call(5, kLasting, ""));
  EXPECT_EQ(for_intake_, 3);
  Take(client_.Call(7, kOwn, ""));  // gRPC's
  refuse_below_ = 30ms;
  Take(client_.Call(9, kInfer, "20m"));
  EXPECT_EQ(for_intake_, 3);
}

TEST_F(RequestStreamTest, CallsThatLastAreNotInside) {
  Take(client_.Call(1, kLasting, ""));
  EXPECT_EQ(limit_.inside(), 0);
  EXPECT_EQ(responses_.own_calls(), 1);
}

TEST_F(RequestStreamTest, ACancelledCallIsNotInsideAnyMore) {
  std::string reset;
  AppendNumberFrame(reset, FrameType::kRstStream, 1, 8);
  Take(client_.Call(1, kInfer, "50m"));
  EXPECT_EQ(limit_.inside(), 1);
  Take(reset);
  EXPECT_EQ(limit_.inside(), 0);
}

TEST_F(RequestStreamTest, HeadersAfterAMessageEndItAndBeginNoCall) {
  Take(client_.HeadersFrame(1, {{":path", kInfer}}));
  Take(client_.HeadersFrame(1, {{"x", "y"}}, kEndHeaders | kEndStream));
  EXPECT_THAT(Passed(), ElementsAre("1 headers", "1 data"));
}

TEST_F(RequestStreamTest, NothingIsRefusedWhileTheClientAwaitsAnotherTable) {
  refuse_below_ = 1h;
  std::string settings;
  AppendFrame(settings, FrameType::kSettings, 0, 0, absl::string_view("\0\1\0\0\0\0", 6));
  Take(settings + client_.Call(1, kInfer, "1m"));
  EXPECT_THAT(PassedHeaders(), SizeIs(1));
  EXPECT_THAT(responses_.output(), IsEmpty());
}

TEST_F(RequestStreamTest, WhatIsNotHttp2PassesAndGrpcJudgesIt) {
  RequestStream requests(rules_, responses_);
  const std::string text = "PRI / HTTP/1.1\r\n\r\n";
  EXPECT_FALSE(requests.has_begun());
  requests.Take(text.substr(0, 3), now_, Turn());
  requests.Take(text.substr(3), now_, Turn());
  EXPECT_EQ(requests.output(), text);
  EXPECT_TRUE(requests.has_begun());
}

TEST_F(RequestStreamTest, NothingIsTakenBehindMoreAnswersThanTheClientReads) {
  refuse_below_ = 1h;
  std::string bytes;
  for (uint32_t i = 0; i < 2000; ++i) bytes += client_.Call(2 * i + 1, kInfer, "1m");
  size_t taken = Take(bytes);
  EXPECT_LT(taken, bytes.size());
  EXPECT_FALSE(requests_.may_take());
  EXPECT_LT(responses_.output().size(), 80'000);
  while (taken < bytes.size()) {
    responses_.output().clear();
    ASSERT_TRUE(requests_.may_take());
    taken += Take(absl::string_view(bytes).substr(taken));
  }
  EXPECT_THAT(Passed(), IsEmpty());
}

struct BrokenCase {
  const char* what;
  std::string bytes;
  uint32_t error;
};

class BrokenRequestTest : public RequestStreamTest, public ::testing::WithParamInterface<BrokenCase> {};

TEST_P(BrokenRequestTest, EndsTheConnectionAndSaysWhy) {
  Take(GetParam().bytes);
  EXPECT_TRUE(requests_.has_failed());
  const std::vector<Frame> frames = FramesOf(responses_.output());
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_EQ(frames[0].head.type, FrameType::kGoaway);
  EXPECT_EQ(ReadNumber(frames[0].payload.data() + 4, 4), GetParam().error);
}

std::string FrameOf(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  std::string bytes;
  AppendFrame(bytes, type, flags, stream, payload);
  return bytes;
}

std::string ManyContinuations() {
  std::string bytes = FrameOf(FrameType::kHeaders, 0, 1, "");
  for (int i = 0; i < 5; ++i) bytes += FrameOf(FrameType::kContinuation, 0, 1, std::string(kMaxPayload, 'x'));
  return bytes;
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenRequestTest,
    ::testing::Values(
        BrokenCase{"padding", FrameOf(FrameType::kHeaders, kPadded | kEndHeaders, 1, "\7ab"), 1},
        BrokenCase{"no_block", FrameOf(FrameType::kContinuation, kEndHeaders, 1, ""), 1},
        BrokenCase{"interrupted", FrameOf(FrameType::kHeaders, 0, 1, "") + FrameOf(FrameType::kPing, 0, 0, "12345678"),
                   1},
        BrokenCase{"another_stream",
                   FrameOf(FrameType::kHeaders, 0, 1, "") + FrameOf(FrameType::kContinuation, 4, 3, ""), 1},
        BrokenCase{"compression", FrameOf(FrameType::kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff"), 9},
        BrokenCase{"stream_zero", FrameOf(FrameType::kHeaders, kEndHeaders, 0, "\x82"), 1},
        BrokenCase{"servers_stream", FrameOf(FrameType::kHeaders, kEndHeaders, 2, "\x82"), 1},
        BrokenCase{"many_headers", FrameOf(FrameType::kHeaders, kEndHeaders, 1, std::string(15'000, '\0')), 9},
        BrokenCase{"large_frame", FrameOf(FrameType::kHeaders, 0, 1, std::string(70'000, 'x')), 6},
        BrokenCase{"large_block", ManyContinuations(), 11}),
    [](const ::testing::TestParamInfo<BrokenCase>& info) { return info.param.what; });

// A stream whose server asks for certificates.
class NamedRequestStreamTest : public RequestStreamTest {
 protected:
  // The values of the header in what gRPC gets of a call in which the client sends `sent`.
  std::vector<std::string> Names(const std::string& certificate, const std::vector<std::string>& sent) {
    FrontRules rules = rules_;
    rules.client_name_header = "client-name";
    RequestStream requests(rules, responses_);
    requests.SetClientName(certificate);
    Headers headers = {{":method", "POST"}, {":path", kOther}};
    for (const std::string& name : sent) headers.emplace_back("client-name", name);
    requests.Take(ClientFrames::Begin() + ClientFrames().HeadersFrame(1, headers), arrived_, Turn());
    std::vector<std::string> names;
    for (const Headers& passed : HeadersOf(absl::string_view(requests.output()).substr(kPreface.size()))) {
      for (const auto& [name, value] : passed) {
        if (name == "client-name") names.push_back(value);
      }
    }
    return names;
  }
};

TEST_F(NamedRequestStreamTest, GrpcGetsTheNameInTheCertificateAndNothingThatTheClientSaysInItsPlace) {
  EXPECT_THAT(Names("search", {}), ElementsAre("search"));
  EXPECT_THAT(Names("search", {"admin", "root"}), ElementsAre("search"));
  EXPECT_THAT(Names("", {"admin"}), ElementsAre(""));
}

TEST_F(NamedRequestStreamTest, ANameThatNoHeaderCouldHaveIsNone) {
  EXPECT_THAT(Names("two words", {}), ElementsAre(""));
  EXPECT_THAT(Names("line\nend", {}), ElementsAre(""));
  EXPECT_THAT(Names(std::string(65, 'a'), {}), ElementsAre(""));
}

TEST_F(RequestStreamTest, ACallWithTooManyHeadersIsResetAndGrpcSeesNothingOfIt) {
  rules_.max_metadata_bytes = 300;
  Headers headers = {{":method", "POST"}, {":scheme", "http"}, {":path", kOther}, {"x", std::string(200, 'x')}};
  Take(client_.HeadersFrame(1, headers, kEndHeaders | kEndStream));
  EXPECT_THAT(Passed(), IsEmpty());
  const std::vector<Frame> answers = TakeAnswers();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].head.type, FrameType::kRstStream);
  constexpr uint32_t kEnhanceYourCalm = 11;  // RFC 9113, 7
  EXPECT_EQ(ReadNumber(answers[0].payload.data(), 4), kEnhanceYourCalm);

  headers.pop_back();
  Take(client_.HeadersFrame(3, headers, kEndHeaders | kEndStream));
  EXPECT_THAT(Passed(), ElementsAre("3 headers"));
}

}  // namespace
}  // namespace anybit::server
