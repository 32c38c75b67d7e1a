#include "server/security/tls_files.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/security/testing/certificates.h"

namespace anybit::server {
namespace {

using std::chrono::hours;
using testing::Authority;
using ::testing::HasSubstr;
using testing::Identity;

const TlsOptions kFiles = {.certificate = "c.pem", .key = "k.pem", .client_authorities = "a.pem"};

const Authority& TestAuthority() {
  static const Authority* const authority = new Authority("authority");
  return *authority;
}

TlsIdentity Texts(const Identity& pair) {
  return {.certificates = pair.certificate, .key = pair.key, .client_authorities = TestAuthority().certificate()};
}

absl::StatusOr<TlsIdentity> Check(TlsIdentity texts) {
  return CheckTlsIdentity(std::move(texts), kFiles, std::chrono::system_clock::now());
}

std::string Error(const absl::StatusOr<TlsIdentity>& identity) { return std::string(identity.status().message()); }

TEST(TlsFilesTest, APairThatBelongsTogetherIsKeptWithItsExpiry) {
  const auto now = std::chrono::system_clock::now();
  const Identity pair = TestAuthority().Issue({.ends = hours(24)});
  const absl::StatusOr<TlsIdentity> identity = Check(Texts(pair));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->key, pair.key);
  EXPECT_GT(identity->expires, now + hours(23));
  EXPECT_LT(identity->expires, now + hours(25));
}

TEST(TlsFilesTest, AChainMayFollowTheCertificate) {
  TlsIdentity texts = Texts(TestAuthority().Issue({}));
  texts.certificates += TestAuthority().certificate();
  EXPECT_TRUE(Check(texts).ok());
  texts.certificates += "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(Error(Check(texts)), "--tls_certificate is c.pem, which holds no certificate in PEM");
}

TEST(TlsFilesTest, TheKeyOfAnotherCertificateIsRefused) {
  TlsIdentity texts = Texts(TestAuthority().Issue({}));
  texts.key = TestAuthority().Issue({}).key;
  EXPECT_EQ(Error(Check(texts)), "--tls_key is k.pem, which is not the key of the certificate in c.pem");
}

TEST(TlsFilesTest, ACertificateOutsideItsTimeIsRefusedWithThatTime) {
  EXPECT_THAT(Error(Check(Texts(TestAuthority().Issue({.begins = hours(-48), .ends = hours(-24)})))),
              HasSubstr("--tls_certificate is c.pem, which expired at 20"));
  EXPECT_THAT(Error(Check(Texts(TestAuthority().Issue({.begins = hours(24), .ends = hours(48)})))),
              HasSubstr("--tls_certificate is c.pem, which is not valid before 20"));
}

TEST(TlsFilesTest, TextsThatAreNoPemAreNamed) {
  const TlsIdentity good = Texts(TestAuthority().Issue({}));
  TlsIdentity texts = good;
  texts.certificates = "";
  EXPECT_EQ(Error(Check(texts)), "--tls_certificate is c.pem, which holds no certificate in PEM");
  texts = good;
  texts.key = "key";
  EXPECT_EQ(Error(Check(texts)), "--tls_key is k.pem, which holds no private key in PEM, or an encrypted one");
  texts = good;
  texts.client_authorities = good.key;
  EXPECT_EQ(Error(Check(texts)), "--tls_client_authorities is a.pem, which holds no certificate in PEM");
}

TEST(TlsFilesTest, AFileThatIsMissingIsNamedWithItsFlag) {
  const absl::StatusOr<TlsIdentity> texts = ReadTlsFiles({.certificate = "/nowhere/c.pem", .key = "/nowhere/k.pem"});
  EXPECT_EQ(texts.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Error(texts), HasSubstr("--tls_certificate: "));
  EXPECT_THAT(Error(texts), HasSubstr("/nowhere/c.pem"));
}

}  // namespace
}  // namespace anybit::server
