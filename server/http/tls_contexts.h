// TLS as a server's connections use it: one context for each identity, made when the first connection needs it.
#ifndef ANYBIT_SERVER_HTTP_TLS_CONTEXTS_H_
#define ANYBIT_SERVER_HTTP_TLS_CONTEXTS_H_

#include <memory>
#include <string>
#include <utility>

#include <boost/asio/ssl.hpp>

#include "server/http/tls_identity.h"

namespace anybit::server {

// One thread.
class TlsContexts {
 public:
  // For connections that speak `protocol`, by its name in ALPN, such as "http/1.1". A null `source`: no TLS.
  TlsContexts(TlsIdentitySource source, TlsVersion least, const std::string& protocol)
      : source_(std::move(source)), least_(least), protocols_(static_cast<char>(protocol.size()) + protocol) {}

  bool is_on() const { return source_ != nullptr; }

  // For the next connection. Null if there is no TLS, or if OpenSSL refuses the identity.
  std::shared_ptr<boost::asio::ssl::context> Context();

 private:
  const TlsIdentitySource source_;
  const TlsVersion least_;
  const std::string protocols_;                  // one, as ALPN has it: behind its length
  std::shared_ptr<const TlsIdentity> identity_;  // of context_
  std::shared_ptr<boost::asio::ssl::context> context_;
};

// The common name in the certificate that the client has shown; "" if it has shown none.
std::string ClientName(const SSL* connection);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_HTTP_TLS_CONTEXTS_H_
