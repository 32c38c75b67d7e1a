#include "server/security/testing/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace anybit::server::testing {
namespace {

std::string Text(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

std::string CertificateText(X509* certificate) {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  return Text(bio);
}

std::string KeyText(EVP_PKEY* key) {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  return Text(bio);
}

void Extend(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* Unsigned(const std::string& name, EVP_PKEY* key, std::chrono::hours begins, std::chrono::hours ends) {
  static std::atomic<long> serial = 1;
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), std::chrono::seconds(begins).count());
  X509_gmtime_adj(X509_getm_notAfter(certificate), std::chrono::seconds(ends).count());
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

}  // namespace

Authority::Authority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
  own_.reset(Unsigned(name, key_.get(), std::chrono::hours(-1000), std::chrono::hours(1000)));
  X509_set_issuer_name(own_.get(), X509_get_subject_name(own_.get()));
  Extend(own_.get(), own_.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(own_.get(), key_.get(), EVP_sha256());
  certificate_ = CertificateText(own_.get());
}

Identity Authority::Issue(const Subject& subject) const {
  const std::unique_ptr<EVP_PKEY, Frees<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Frees<X509_free>> made(Unsigned(subject.name, key.get(), subject.begins, subject.ends));
  X509_set_issuer_name(made.get(), X509_get_subject_name(own_.get()));
  Extend(made.get(), own_.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_sign(made.get(), key_.get(), EVP_sha256());
  return {.certificate = CertificateText(made.get()), .key = KeyText(key.get())};
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path + ".partial", std::ios::binary) << text;
  if (std::rename((path + ".partial").c_str(), path.c_str()) != 0) abort();
}

}  // namespace anybit::server::testing
