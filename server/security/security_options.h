// How clients and the server prove who they are, as values.
#ifndef ANYBIT_SERVER_SECURITY_SECURITY_OPTIONS_H_
#define ANYBIT_SERVER_SECURITY_SECURITY_OPTIONS_H_

#include <chrono>
#include <string>

#include "base/time.h"
#include "server/http/tls_identity.h"

namespace anybit::server {

// Paths of PEM files.
struct TlsOptions {
  std::string certificate;  // the server's, with those that lead to its authority; empty: no TLS
  std::string key;
  std::string client_authorities;  // clients must have a certificate of one of them; empty: they need none
  TlsVersion least_version = TlsVersion::kTls12;

  bool is_on() const { return !certificate.empty(); }
};

struct SecurityOptions {
  TlsOptions tls;
  std::string token_file;                               // path (access_tokens.h has the format); empty: no tokens
  Duration reload_interval = std::chrono::seconds(10);  // how often the files are looked at
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SECURITY_SECURITY_OPTIONS_H_
