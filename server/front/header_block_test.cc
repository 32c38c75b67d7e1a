#include "server/front/header_block.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/front/testing/frames.h"

namespace anybit::server {
namespace {

using testing::ClientFrames;
using testing::Decode;
using ::testing::ElementsAre;
using testing::Headers;
using ::testing::Pair;

constexpr size_t kEnough = 1024;

TEST(HeaderBlockTest, LaterBlocksAreReadWithTheTableOfEarlierOnesThatWereNotPassedOn) {
  ClientFrames client;
  HeaderDecoder ours, grpcs;
  HeaderEncoder encoder;
  HeaderList refused, passed;
  const std::string first = client.HeaderBlock({{"user-agent", "a client"}, {"grpc-timeout", "50m"}});
  const std::string second = client.HeaderBlock({{"user-agent", "a client"}, {"grpc-timeout", "20m"}});
  EXPECT_LT(second.size(), first.size());  // it refers to the first
  ASSERT_TRUE(ours.Decode(first, kEnough, refused));
  ASSERT_TRUE(ours.Decode(second, kEnough, passed));
  EXPECT_THAT(Decode(grpcs, encoder.Encode(passed, "")),
              ElementsAre(Pair("user-agent", "a client"), Pair("grpc-timeout", "20m")));
}

TEST(HeaderBlockTest, AnotherTimeoutTakesThePlaceOfTheCallsOwn) {
  HeaderList headers;
  headers.Add("te", "trailers");
  headers.Add("grpc-timeout", "50m");
  HeaderEncoder encoder;
  HeaderDecoder decoder;
  EXPECT_THAT(Decode(decoder, encoder.Encode(headers, "17u")),
              ElementsAre(Pair("te", "trailers"), Pair("grpc-timeout", "17u")));
}

TEST(HeaderBlockTest, HeadersThatMustNotBeIndexedStaySo) {
  HeaderList secret;
  secret.Add("authorization", "token", /*may_be_indexed=*/false);
  HeaderEncoder encoder;
  HeaderDecoder decoder;
  HeaderList decoded;
  ASSERT_TRUE(decoder.Decode(encoder.Encode(secret, ""), kEnough, decoded));
  EXPECT_FALSE(decoded.may_be_indexed(0));
}

TEST(HeaderBlockTest, AnotherTimeoutTakesThePlaceOfOneThatMustNotBeIndexedToo) {
  HeaderList headers;
  headers.Add("grpc-timeout", "50m", /*may_be_indexed=*/false);
  HeaderEncoder encoder;
  HeaderDecoder decoder;
  HeaderList decoded;
  ASSERT_TRUE(decoder.Decode(encoder.Encode(headers, "17u"), kEnough, decoded));
  EXPECT_EQ(decoded.value(0), "17u");
  EXPECT_FALSE(decoded.may_be_indexed(0));
}

TEST(HeaderBlockTest, EveryHeaderThatComesAgainIsAReference) {
  const Headers call = {{":method", "POST"}, {":path", "/service/Method"}, {"te", "trailers"}};
  ClientFrames client;
  EXPECT_GT(client.HeaderBlock(call).size(), 40u);
  EXPECT_EQ(client.HeaderBlock(call).size(), call.size());
}

TEST(HeaderBlockTest, BothTablesKeepTheSameHeadersHoweverManyCome) {
  HeaderEncoder encoder;
  HeaderDecoder decoder;
  for (int i = 0; i < 1000; ++i) {
    HeaderList headers;
    headers.Add("te", "trailers");
    headers.Add("name", std::string(i % 5000, 'x'));  // some are larger than the table
    headers.Add("number", std::to_string(i % 7));
    const Headers decoded = Decode(decoder, encoder.Encode(headers, ""));
    ASSERT_EQ(decoded.size(), 3u) << i;
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_EQ(decoded[k].first, headers.name(k));
      EXPECT_EQ(decoded[k].second, headers.value(k)) << i;
    }
  }
}

TEST(HeaderBlockTest, ABlockMeansSomethingElseOnceTheTableHasChanged) {
  ClientFrames client;
  HeaderDecoder decoder;
  (void)Decode(decoder, client.HeaderBlock({{"a", "1"}}));
  const std::string reference = client.HeaderBlock({{"a", "1"}});
  for (int i = 0; i < 2; ++i) EXPECT_THAT(Decode(decoder, reference), ElementsAre(Pair("a", "1")));
  (void)Decode(decoder, client.HeaderBlock({{"b", "2"}}));
  EXPECT_THAT(Decode(decoder, reference), ElementsAre(Pair("b", "2")));
}

TEST(HeaderBlockTest, AReplacementTakesThePlaceOfAllHeadersOfItsName) {
  HeaderList headers;
  for (const char* value : {"one", "two"}) headers.Add("who", value);
  HeaderEncoder encoder;
  HeaderDecoder decoder;
  EXPECT_THAT(Decode(decoder, encoder.Encode(headers, "", {.name = "who", .value = "three"})),
              ElementsAre(Pair("who", "three")));
}

TEST(HeaderBlockTest, ABlockThatIsBrokenOrHoldsTooMuchIsRefused) {
  HeaderList headers;
  EXPECT_FALSE(HeaderDecoder().Decode("\xff\xff\xff\xff", kEnough, headers));
  const std::string large = ClientFrames().HeaderBlock({{"name", std::string(100, 'x')}});
  EXPECT_FALSE(HeaderDecoder().Decode(large, 100, headers));
  EXPECT_FALSE(HeaderDecoder().Decode(large.substr(0, large.size() - 1), kEnough, headers));
}

TEST(HeaderBlockTest, PlainHeadersNeedNoTable) {
  std::string block;
  AppendPlainHeader(block, "short", "value");
  AppendPlainHeader(block, "long", std::string(5000, 'v'));
  HeaderDecoder decoder;
  EXPECT_THAT(Decode(decoder, block), ElementsAre(Pair("short", "value"), Pair("long", std::string(5000, 'v'))));
  EXPECT_EQ(Decode(decoder, block).size(), 2);  // nor do they change one
}

}  // namespace
}  // namespace anybit::server
