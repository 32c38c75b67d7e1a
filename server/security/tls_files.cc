#include "server/security/tls_files.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/file.h"

namespace anybit::server {
namespace {

using SystemTime = std::chrono::system_clock::time_point;

// Bundles of all public authorities have less than half of this.
constexpr uint64_t kMaxFileBytes = 1 << 20;

template <auto Free>
struct Frees {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Frees<BIO_free>>;
using Certificate = std::unique_ptr<X509, Frees<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Frees<EVP_PKEY_free>>;

// Where the library would ask the terminal for a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::Status Wrong(absl::string_view flag, const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " is ", path, ", which ", what));
}

Bio Reader(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// The first certificate; null if there is none, or if anything that follows it is broken.
Certificate FirstCertificate(const std::string& text) {
  const Bio reader = Reader(text);
  Certificate first(PEM_read_bio_X509(reader.get(), nullptr, NoPassphrase, nullptr));
  while (first != nullptr) {
    const Certificate next(PEM_read_bio_X509(reader.get(), nullptr, NoPassphrase, nullptr));
    if (next != nullptr) continue;
    const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!is_end) first.reset();
    break;
  }
  ERR_clear_error();
  return first;
}

SystemTime TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return SystemTime::min();
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

std::string Shown(SystemTime time) {
  return absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromChrono(time), absl::UTCTimeZone());
}

absl::Status ReadOne(absl::string_view flag, const std::string& path, std::string& text) {
  absl::StatusOr<std::string> read = ReadFile(path, kMaxFileBytes);
  if (!read.ok()) {
    return absl::Status(read.status().code(), absl::StrCat("--", flag, ": ", read.status().message()));
  }
  text = *std::move(read);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsIdentity> ReadTlsFiles(const TlsOptions& files) {
  TlsIdentity texts;
  absl::Status status = ReadOne("tls_certificate", files.certificate, texts.certificates);
  status.Update(ReadOne("tls_key", files.key, texts.key));
  if (!files.client_authorities.empty()) {
    status.Update(ReadOne("tls_client_authorities", files.client_authorities, texts.client_authorities));
  }
  if (!status.ok()) return status;
  return texts;
}

absl::StatusOr<TlsIdentity> CheckTlsIdentity(TlsIdentity texts, const TlsOptions& files, SystemTime now) {
  const Certificate certificate = FirstCertificate(texts.certificates);
  if (certificate == nullptr) return Wrong("tls_certificate", files.certificate, "holds no certificate in PEM");
  const Bio reader = Reader(texts.key);
  const Key key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) return Wrong("tls_key", files.key, "holds no private key in PEM, or an encrypted one");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return Wrong("tls_key", files.key, absl::StrCat("is not the key of the certificate in ", files.certificate));
  }
  const SystemTime begins = TimeOf(X509_get0_notBefore(certificate.get()));
  texts.expires = TimeOf(X509_get0_notAfter(certificate.get()));
  if (now >= texts.expires) {
    return Wrong("tls_certificate", files.certificate, absl::StrCat("expired at ", Shown(texts.expires)));
  }
  if (now < begins) {
    return Wrong("tls_certificate", files.certificate, absl::StrCat("is not valid before ", Shown(begins)));
  }
  if (!files.client_authorities.empty() && FirstCertificate(texts.client_authorities) == nullptr) {
    return Wrong("tls_client_authorities", files.client_authorities, "holds no certificate in PEM");
  }
  return texts;
}

}  // namespace anybit::server
