#include "server/admin_log.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;

WallTime Noon() { return WallTime(std::chrono::hours(12) + std::chrono::microseconds(34)); }

class AdminLogTest : public ::testing::Test {
 protected:
  absl::Status Set(const std::string& key, bool value) {
    inference::LogSettingsRequest request;
    (*request.mutable_settings())[key].set_bool_param(value);
    return log_.Change(request);
  }
  absl::Status Set(const std::string& key, const char* value) {
    inference::LogSettingsRequest request;
    (*request.mutable_settings())[key].set_string_param(value);
    return log_.Change(request);
  }
  absl::Status SetLevel(uint32_t level) {
    inference::LogSettingsRequest request;
    (*request.mutable_settings())["log_verbose_level"].set_uint32_param(level);
    return log_.Change(request);
  }

  std::string written_;
  AdminLog log_{[this](LogLevel level, absl::string_view text, NoticeStyle style) {
    written_ += NoticeLine(level, text, style, Noon());
  }};
};

TEST_F(AdminLogTest, EachKindCanBeTurnedOffAndOnByItself) {
  log_.Info("a");
  log_.Warning("b");
  log_.Error("c");
  log_.Verbose("d");
  EXPECT_EQ(written_, "anybit-server: a\nanybit-server: warning: b\nanybit-server: error: c\n");
  written_ = "";
  ASSERT_TRUE(Set("log_info", false).ok());
  ASSERT_TRUE(Set("log_warning", false).ok());
  log_.Info("a");
  log_.Warning("b");
  log_.Error("c");
  EXPECT_EQ(written_, "anybit-server: error: c\n");
}

TEST_F(AdminLogTest, VerboseLinesAreWrittenFromLevelOneOn) {
  EXPECT_FALSE(log_.WantsVerbose());
  ASSERT_TRUE(SetLevel(1).ok());
  EXPECT_TRUE(log_.WantsVerbose());
  log_.Verbose("d");
  EXPECT_EQ(written_, "anybit-server: d\n");
}

TEST_F(AdminLogTest, LinesBeginWithTheTimeWhereTheFormatHasIt) {
  ASSERT_TRUE(Set("log_format", "ISO8601").ok());
  log_.Info("a");
  EXPECT_EQ(written_, "1970-01-01T12:00:00.000034Z anybit-server: a\n");
}

TEST_F(AdminLogTest, AWrongSettingChangesNothingAndIsNamed) {
  inference::LogSettingsRequest request;
  (*request.mutable_settings())["log_info"].set_bool_param(false);
  (*request.mutable_settings())["log_color"].set_bool_param(true);
  EXPECT_THAT(std::string(log_.Change(request).message()), HasSubstr("unknown log setting 'log_color'"));
  EXPECT_TRUE(log_.Settings().settings().at("log_info").bool_param());
  EXPECT_TRUE(absl::IsInvalidArgument(Set("log_info", "no")));
  EXPECT_TRUE(absl::IsInvalidArgument(Set("log_verbose_level", true)));
  EXPECT_TRUE(absl::IsInvalidArgument(Set("log_format", "xml")));
  EXPECT_THAT(std::string(Set("log_file", "/etc/passwd").message()), HasSubstr("cannot be changed"));
}

TEST_F(AdminLogTest, SettingsCanBeRead) {
  ASSERT_TRUE(SetLevel(3).ok());
  const auto settings = log_.Settings().settings();
  EXPECT_EQ(settings.size(), 6u);
  EXPECT_EQ(settings.at("log_verbose_level").uint32_param(), 3u);
  EXPECT_EQ(settings.at("log_format").string_param(), "default");
  EXPECT_EQ(settings.at("log_file").string_param(), "");
}

}  // namespace
}  // namespace anybit::server
