// Certificates for tests: authorities and what they sign, as PEM texts.
//
//   Authority authority("test authority");
//   const Identity server = authority.Issue({.name = "localhost"});
#ifndef ANYBIT_SERVER_SECURITY_TESTING_CERTIFICATES_H_
#define ANYBIT_SERVER_SECURITY_TESTING_CERTIFICATES_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>

namespace anybit::server::testing {

// A certificate and its key.
struct Identity {
  std::string certificate;
  std::string key;
};

struct Subject {
  std::string name = "localhost";  // common name; the certificate is for localhost and 127.0.0.1, too
  // Of its validity, from now.
  std::chrono::hours begins = std::chrono::hours(-1);
  std::chrono::hours ends = std::chrono::hours(24);
};

class Authority {
 public:
  explicit Authority(const std::string& name);

  const std::string& certificate() const { return certificate_; }
  Identity Issue(const Subject& subject) const;

 private:
  template <auto Free>
  struct Frees {
    template <typename T>
    void operator()(T* object) const {
      Free(object);
    }
  };

  std::unique_ptr<EVP_PKEY, Frees<EVP_PKEY_free>> key_;
  std::unique_ptr<X509, Frees<X509_free>> own_;
  std::string certificate_;
};

// Writes the text where it is read as a whole: under another name, then renamed.
void WriteFile(const std::string& path, const std::string& text);

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_SECURITY_TESTING_CERTIFICATES_H_
