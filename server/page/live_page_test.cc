#include "server/page/live_page.h"

#include <openssl/sha.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::server {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

HttpAnswer Page(PageMode mode) {
  const std::optional<HttpAnswer> answer = LivePage(mode).Answer({.method = "GET", .path = "/"});
  EXPECT_TRUE(answer.has_value());
  return answer.value_or(HttpAnswer());
}

std::string Field(const HttpAnswer& answer, const std::string& name) {
  for (const auto& [key, value] : answer.fields) {
    if (key == name) return value;
  }
  return "";
}

// The text between two others; each comes once.
std::string Between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin);
  EXPECT_EQ(text.find(begin, from + 1), std::string::npos);
  return text.substr(from + begin.size(), text.find(end) - from - begin.size());
}

std::string HashOf(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::StrCat("'sha256-", absl::Base64Escape({reinterpret_cast<char*>(digest), sizeof(digest)}), "'");
}

TEST(LivePage, IsOneDocumentThatLoadsNothing) {
  const HttpAnswer page = Page(PageMode::kTry);
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body, AllOf(HasSubstr("<!DOCTYPE html>"), HasSubstr("parseMetrics"), HasSubstr("id=\"pad\"")));
  EXPECT_THAT(page.body, Not(ContainsRegex("src=|href=\"http|@import|url\\(| style=| on[a-z]+=\"")));
}

TEST(LivePage, PermitsItsOwnScriptAndStyleOnly) {
  const HttpAnswer page = Page(PageMode::kView);
  const std::string policy = Field(page, "Content-Security-Policy");
  EXPECT_THAT(policy, AllOf(HasSubstr("default-src 'none';"), HasSubstr("connect-src 'self';"),
                            HasSubstr("frame-ancestors 'none'"), Not(HasSubstr("unsafe"))));
  EXPECT_THAT(policy, HasSubstr("script-src " + HashOf(Between(page.body, "<script>", "</script>")) + ";"));
  EXPECT_THAT(policy, HasSubstr("style-src " + HashOf(Between(page.body, "<style>", "</style>")) + ";"));
  EXPECT_EQ(Field(page, "X-Content-Type-Options"), "nosniff");
}

TEST(LivePage, OffersToTryOnlyWhereThatIsEnabled) {
  EXPECT_THAT(Page(PageMode::kView).body, HasSubstr("<body data-try=\"off\">"));
  EXPECT_THAT(Page(PageMode::kTry).body, HasSubstr("<body data-try=\"on\">"));
}

TEST(LivePage, AnswersOnlyReadsOfItsPath) {
  const LivePage page(PageMode::kTry);
  EXPECT_FALSE(page.Answer({.method = "GET", .path = "/metrics"}).has_value());
  EXPECT_EQ(page.Answer({.method = "HEAD", .path = "/"})->status, 200);
  EXPECT_EQ(page.Answer({.method = "POST", .path = "/"})->status, 405);
  EXPECT_FALSE(LivePage(PageMode::kOff).Answer({.method = "GET", .path = "/"}).has_value());
}

TEST(PageMode, IsOffViewOrTry) {
  EXPECT_EQ(ParsePageMode("off").value(), PageMode::kOff);
  EXPECT_EQ(ParsePageMode("view").value(), PageMode::kView);
  EXPECT_EQ(ParsePageMode("try").value(), PageMode::kTry);
  EXPECT_EQ(ParsePageMode("on").status().message(), "--page is on, not off, view or try");
}

}  // namespace
}  // namespace anybit::server
