#include "server/http/tls_contexts.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace anybit::server {
namespace {

namespace ssl = boost::asio::ssl;

// One protocol is all that is spoken. A client that offers only others is told so by TLS.
int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                   unsigned int in_size, void* protocols) {
  const auto& spoken = *static_cast<const std::string*>(protocols);
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(spoken.data()),
                                          static_cast<unsigned int>(spoken.size()), in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// `protocols` outlives the context's connections' handshakes.
std::shared_ptr<ssl::context> MakeContext(const TlsIdentity& identity, TlsVersion least, const std::string& protocols) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(),
                                least == TlsVersion::kTls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  context->set_options(ssl::context::default_workarounds | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                       SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_alpn_select_cb(context->native_handle(), ChooseProtocol, const_cast<std::string*>(&protocols));
  boost::system::error_code error;
  context->use_certificate_chain(boost::asio::buffer(identity.certificates), error);
  if (!error) context->use_private_key(boost::asio::buffer(identity.key), ssl::context::pem, error);
  if (!error && !identity.client_authorities.empty()) {
    context->add_certificate_authority(boost::asio::buffer(identity.client_authorities), error);
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
    // A session that is resumed has its own certificate check behind it; without a name OpenSSL resumes none.
    static constexpr unsigned char kSessions[] = "anybit";
    SSL_CTX_set_session_id_context(context->native_handle(), kSessions, sizeof(kSessions) - 1);
  }
  return error ? nullptr : context;
}

}  // namespace

std::shared_ptr<ssl::context> TlsContexts::Context() {
  if (!is_on()) return nullptr;
  const std::shared_ptr<const TlsIdentity> identity = source_();
  if (identity != identity_) {
    context_ = MakeContext(*identity, least_, protocols_);
    identity_ = identity;
  }
  return context_;
}

std::string ClientName(const SSL* connection) {
  X509* const certificate = SSL_get1_peer_certificate(connection);
  if (certificate == nullptr) return "";
  const std::unique_ptr<X509, decltype(&X509_free)> owned(certificate, X509_free);
  char name[256];
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
  return size > 0 ? std::string(name, static_cast<size_t>(size)) : "";
}

}  // namespace anybit::server
