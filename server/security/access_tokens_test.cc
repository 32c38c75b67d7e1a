#include "server/security/access_tokens.h"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/inference.pb.h"
#include "server/security/caller.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kTenants = {"default", "search"};
constexpr char kToken[] = "0123456789abcdef";

absl::StatusOr<AccessTokens> Parse(const std::string& text) { return AccessTokens::Parse(text, kTenants); }
std::string Error(const std::string& text) { return std::string(Parse(text).status().message()); }

TEST(AccessTokensTest, ATokenHasATenantAndMayBeAnAdmins) {
  const auto tokens = Parse(
      "# clients\n0123456789abcdef\n\nsearch-0123456789 tenant=search # comment\ngateway-0123456789 tenant=* "
      "admin\r\n");
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->size(), 3u);
  EXPECT_EQ(tokens->Find(kToken)->tenant, "default");
  EXPECT_FALSE(tokens->Find(kToken)->is_admin);
  EXPECT_EQ(tokens->Find("search-0123456789")->tenant, "search");
  EXPECT_EQ(tokens->Find("gateway-0123456789")->tenant, "");
  EXPECT_TRUE(tokens->Find("gateway-0123456789")->is_admin);
}

TEST(AccessTokensTest, OnlyTheWholeTokenIsFound) {
  const auto tokens = Parse(kToken);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  for (const char* other : {"", "0", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0", " 0123456789abcdef"}) {
    EXPECT_FALSE(tokens->Find(other).has_value()) << other;
  }
}

TEST(AccessTokensTest, ErrorsNameTheLineAndNeverTheToken) {
  EXPECT_EQ(Error("\nshort\n"), "line 2: a token has 16 to 512 characters of ASCII, this one has 5 bytes");
  EXPECT_THAT(Error(std::string(513, 'a')), HasSubstr("this one has 513 bytes"));
  EXPECT_EQ(Error("0123456789abcdef tenant=nobody"), "line 1: the tenant is none of --tenants");
  EXPECT_EQ(Error("0123456789abcdef root"), "line 1: behind a token may stand 'tenant=NAME' and 'admin'");
  EXPECT_EQ(Error("0123456789abcdef\n0123456789abcdef"), "line 2: this token stands in a line before");
  EXPECT_EQ(Error("# nothing"), "there is no token");
  EXPECT_THAT(Error("0123456789abcdef x"), Not(HasSubstr("0123456789abcdef")));
}

inference::ModelInferRequest Naming(const std::string& tenant) {
  inference::ModelInferRequest request;
  (*request.mutable_parameters())["tenant"].set_string_param(tenant);
  return request;
}

TEST(CallerTest, ARequestThatNamesNoTenantGetsTheCallers) {
  inference::ModelInferRequest request;
  EXPECT_TRUE(BindTenant({.tenant = "search"}, request).ok());
  EXPECT_EQ(request.parameters().at("tenant").string_param(), "search");
}

TEST(CallerTest, ARequestOfAnotherTenantIsNotPermitted) {
  inference::ModelInferRequest own = Naming("search"), other = Naming("default"), wrong_type;
  (*wrong_type.mutable_parameters())["tenant"].set_int64_param(1);
  EXPECT_TRUE(BindTenant({.tenant = "search"}, own).ok());
  EXPECT_EQ(BindTenant({.tenant = "search"}, other).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(BindTenant({.tenant = "search"}, wrong_type).code(), absl::StatusCode::kPermissionDenied);
}

TEST(CallerTest, ACallerOfAnyTenantNamesItItself) {
  inference::ModelInferRequest request = Naming("default"), none;
  EXPECT_TRUE(BindTenant({}, request).ok());
  EXPECT_TRUE(BindTenant({}, none).ok());
  EXPECT_FALSE(none.parameters().contains("tenant"));
}

}  // namespace
}  // namespace anybit::server
