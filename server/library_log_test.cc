#include "server/library_log.h"

#include <grpc/support/log.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/inference.pb.h"

namespace anybit::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LibraryLogTest, LinesOfTheLibrariesBecomeEvents) {
  std::vector<std::string> lines;
  EventLog log(
      {.format = LogFormat::kJson}, [&](absl::string_view line) { lines.emplace_back(line); },
      [] { return WallTime(); });
  {
    const LibraryLog library(log);
    gpr_log(GPR_ERROR, "handshake %d failed", 7);
    // Field 1, a text of one byte that is not UTF-8.
    EXPECT_FALSE(inference::ModelInferRequest().ParseFromString("\x0a\x01\xff"));
  }
  gpr_log(GPR_ERROR, "after it");
  log.Flush();
  EXPECT_THAT(lines, ElementsAre(HasSubstr(R"("event":"library","library":"grpc","text":"handshake 7 failed"})"),
                                 HasSubstr(R"("event":"library","library":"protobuf","text":"String field)")));
}

TEST(LibraryLogTest, AFloodOfLinesIsCut) {
  std::vector<std::string> lines;
  EventLog log(
      {}, [&](absl::string_view line) { lines.emplace_back(line); }, [] { return WallTime(); });
  const LibraryLog library(log);
  for (int i = 0; i < 1000; ++i) gpr_log(GPR_ERROR, "%s", std::string(1000, 'x').c_str());
  log.Flush();
  EXPECT_EQ(lines.size(), size_t{EventLog::kLinesPerSecond});
  EXPECT_LT(lines.front().size(), 400u);
}

}  // namespace
}  // namespace anybit::server
