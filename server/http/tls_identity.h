// What a server shows its clients by TLS, as PEM texts that belong together.
#ifndef ANYBIT_SERVER_HTTP_TLS_IDENTITY_H_
#define ANYBIT_SERVER_HTTP_TLS_IDENTITY_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace anybit::server {

enum class TlsVersion { kTls12, kTls13 };

struct TlsIdentity {
  std::string certificates;  // the server's first, then those that lead to its authority
  std::string key;
  std::string client_authorities;                 // empty: clients need no certificate
  std::chrono::system_clock::time_point expires;  // the server's certificate

  friend bool operator==(const TlsIdentity&, const TlsIdentity&) = default;
};

// The identity in force. Any thread; must not block.
using TlsIdentitySource = std::function<std::shared_ptr<const TlsIdentity>()>;

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_HTTP_TLS_IDENTITY_H_
