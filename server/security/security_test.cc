#include "server/security/security.h"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/security/testing/certificates.h"

namespace anybit::server {
namespace {

using testing::Authority;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Identity;
using ::testing::IsEmpty;
using testing::WriteFile;

constexpr auto kNever = std::chrono::hours(24);  // nothing is looked at unasked

class SecurityTest : public ::testing::Test {
 protected:
  SecurityTest() : authority_("authority") {
    options_.reload_interval = kNever;
    WriteTokens("0123456789abcdef\n");
    Write(authority_.Issue({}));
  }

  std::string Path(const std::string& name) { return ::testing::TempDir() + "/" + std::to_string(getpid()) + name; }
  void Write(const Identity& pair) {
    WriteFile(Path("c.pem"), pair.certificate);
    WriteFile(Path("k.pem"), pair.key);
  }
  void WriteTokens(const std::string& text) { WriteFile(Path("tokens"), text); }

  void UseTls() { options_.tls = {.certificate = Path("c.pem"), .key = Path("k.pem"), .client_authorities = ""}; }
  void UseTokens() { options_.token_file = Path("tokens"); }

  absl::StatusOr<std::unique_ptr<Security>> TryLoad() {
    return Security::Load(
        options_, {"default", "search"}, [] { return std::chrono::system_clock::now(); },
        [this](Security::ReportKind kind, const std::string& line) {
          reports_.push_back(absl::StrCat(kind == Security::ReportKind::kNews ? "news: " : "failure: ", line));
        });
  }
  std::unique_ptr<Security> Load() {
    auto security = TryLoad();
    EXPECT_TRUE(security.ok()) << security.status();
    return *std::move(security);
  }

  const Authority authority_;
  SecurityOptions options_;
  std::vector<std::string> reports_;
};

TEST_F(SecurityTest, WithoutFilesEverybodyMayDoEverything) {
  const auto security = Load();
  EXPECT_FALSE(security->is_on());
  EXPECT_EQ(security->tls_identity(), nullptr);
  EXPECT_TRUE(security->Check({})->is_admin);
  EXPECT_EQ(security->Check({})->tenant, "");
}

TEST_F(SecurityTest, ATokenIsDemandedInTheHeader) {
  UseTokens();
  const auto security = Load();
  EXPECT_TRUE(security->Check({.authorization = "Bearer 0123456789abcdef"}).ok());
  EXPECT_TRUE(security->Check({.authorization = "bearer  0123456789abcdef "}).ok());
  for (const char* wrong : {"", "0123456789abcdef", "Basic 0123456789abcdef", "Bearer ", "Bearer 0123456789abcde"}) {
    EXPECT_EQ(security->Check({.authorization = wrong}).status().code(), absl::StatusCode::kUnauthenticated) << wrong;
  }
}

TEST_F(SecurityTest, TheNameInACertificateIsTheTenantOrTheFirstOneIs) {
  UseTls();
  WriteFile(Path("a.pem"), authority_.certificate());
  options_.tls.client_authorities = Path("a.pem");
  const auto security = Load();
  EXPECT_EQ(security->Check({.certificate_name = "search"})->tenant, "search");
  EXPECT_EQ(security->Check({.certificate_name = "somebody"})->tenant, "default");
}

TEST_F(SecurityTest, ANewPairIsInForceOnceItIsReadAgain) {
  UseTls();
  const auto security = Load();
  const auto before = security->tls_identity();
  const Identity pair = authority_.Issue({});
  Write(pair);
  EXPECT_EQ(security->tls_identity(), before);
  EXPECT_TRUE(security->Reload());
  EXPECT_EQ(security->tls_identity()->key, pair.key);
  EXPECT_THAT(reports_, ElementsAre(HasSubstr("news: a new certificate is in force, valid until 20")));
}

TEST_F(SecurityTest, ABadNewPairLeavesTheOldOneAndIsReported) {
  UseTls();
  const auto security = Load();
  const auto before = security->tls_identity();
  WriteFile(Path("k.pem"), authority_.Issue({}).key);
  EXPECT_FALSE(security->Reload());
  EXPECT_EQ(security->tls_identity(), before);
  EXPECT_THAT(reports_, ElementsAre(HasSubstr("is not the key of the certificate in")));
}

TEST_F(SecurityTest, NewTokensReplaceTheOldOnesAndBadOnesDoNot) {
  UseTokens();
  const auto security = Load();
  WriteTokens("too short\n");
  EXPECT_FALSE(security->Reload());
  EXPECT_TRUE(security->Check({.authorization = "Bearer 0123456789abcdef"}).ok());
  WriteTokens("fedcba9876543210 tenant=search\n");
  EXPECT_TRUE(security->Reload());
  EXPECT_FALSE(security->Check({.authorization = "Bearer 0123456789abcdef"}).ok());
  EXPECT_EQ(security->Check({.authorization = "Bearer fedcba9876543210"})->tenant, "search");
  EXPECT_THAT(reports_, ElementsAre(HasSubstr("line 1: a token has"), "news: new access tokens are in force: 1"));
}

TEST_F(SecurityTest, UnchangedFilesAreNotReported) {
  UseTls();
  UseTokens();
  const auto security = Load();
  EXPECT_TRUE(security->Reload());
  EXPECT_THAT(reports_, IsEmpty());
}

TEST_F(SecurityTest, AtTheStartAWrongFileIsAnError) {
  UseTls();
  WriteFile(Path("k.pem"), authority_.Issue({}).key);
  EXPECT_EQ(TryLoad().status().code(), absl::StatusCode::kInvalidArgument);
  options_ = {};
  options_.token_file = Path("nothing here");
  EXPECT_THAT(std::string(TryLoad().status().message()), HasSubstr("--token_file: "));
}

}  // namespace
}  // namespace anybit::server
