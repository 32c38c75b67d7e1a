#include "server/front/refusal.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/front/testing/frames.h"

namespace anybit::server {
namespace {

using namespace std::chrono_literals;
using testing::Decode;
using ::testing::ElementsAre;
using ::testing::Pair;

TEST(RefusalTest, IsTheBlockThatEndsACallWithoutAMessage) {
  const grpc::Status status(grpc::StatusCode::RESOURCE_EXHAUSTED, "100 % \xc3\xa4", std::string("\x08\x0f\x00", 3));
  HeaderDecoder decoder;
  EXPECT_THAT(Decode(decoder, RefusalBlock(status, 12ms)),
              ElementsAre(Pair(":status", "200"), Pair("content-type", "application/grpc"), Pair("grpc-status", "8"),
                          Pair("grpc-message", "100 %25 %C3%A4"), Pair("grpc-status-details-bin", "CA8A"),
                          Pair("grpc-retry-pushback-ms", "12")));
}

TEST(RefusalTest, DetailsAndARetryDelayMayBeMissing) {
  HeaderDecoder decoder;
  const grpc::Status status(grpc::StatusCode::DEADLINE_EXCEEDED, "late");
  EXPECT_EQ(Decode(decoder, RefusalBlock(status, std::nullopt)).size(), 4);
}

TEST(GrpcTimeoutTest, IsANumberOfUpToEightDigitsAndAUnit) {
  EXPECT_EQ(ParseGrpcTimeout("50m"), 50ms);
  EXPECT_EQ(ParseGrpcTimeout("0n"), 0ns);
  EXPECT_EQ(ParseGrpcTimeout("7u"), 7us);
  EXPECT_EQ(ParseGrpcTimeout("99999999S"), 99999999s);
  EXPECT_EQ(ParseGrpcTimeout("2M"), 2min);
  EXPECT_EQ(ParseGrpcTimeout("1H"), 1h);
  EXPECT_EQ(ParseGrpcTimeout("99999999H"), Duration::max());
  for (const char* bad : {"", "m", "50", "5x", "-5m", "+5m", " 5m", "123456789m", "0x1m"}) {
    EXPECT_EQ(ParseGrpcTimeout(bad), std::nullopt) << bad;
  }
}

TEST(GrpcTimeoutTest, IsWrittenInTheFinestUnitThatFits) {
  EXPECT_EQ(FormatGrpcTimeout(1us), "1u");
  EXPECT_EQ(FormatGrpcTimeout(1999ns), "1u");
  EXPECT_EQ(FormatGrpcTimeout(99'999'999us), "99999999u");
  EXPECT_EQ(FormatGrpcTimeout(100s), "100000m");
  EXPECT_EQ(FormatGrpcTimeout(Duration::max()), "2562047H");
}

}  // namespace
}  // namespace anybit::server
