#include "server/security/grpc_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace anybit::server {
namespace {

// gRPC asks before each handshake whether there is another identity, under a lock of the acceptor that these
// credentials are for.
class ReloadedCredentials final : public grpc::ServerCredentials {
 public:
  explicit ReloadedCredentials(const Security& security)
      : security_(security),
        credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                security.tls().client_authorities.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
                Fetch, this))) {}
  ~ReloadedCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  static grpc_ssl_certificate_config_reload_status Fetch(void* self, grpc_ssl_server_certificate_config** config) {
    auto& credentials = *static_cast<ReloadedCredentials*>(self);
    const std::shared_ptr<const TlsIdentity> identity = credentials.security_.tls_identity();
    if (identity == credentials.given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    grpc_ssl_pem_key_cert_pair pair{.private_key = identity->key.c_str(), .cert_chain = identity->certificates.c_str()};
    // gRPC wants authorities even where it asks clients for nothing.
    const std::string& authorities =
        identity->client_authorities.empty() ? identity->certificates : identity->client_authorities;
    *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
    credentials.given_ = identity;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const Security& security_;
  grpc_server_credentials* const credentials_;
  std::shared_ptr<const TlsIdentity> given_;  // threads of gRPC, one at a time
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> GrpcCredentials(const Security& security) {
  if (!security.tls().is_on()) return grpc::InsecureServerCredentials();
  return std::make_shared<ReloadedCredentials>(security);
}

absl::StatusOr<Caller> CheckCall(const Security& security, const grpc::ServerContext& call) {
  if (!security.is_on()) return Caller();
  Credentials credentials;
  const auto& metadata = call.client_metadata();
  const auto [begin, end] = metadata.equal_range("authorization");
  if (begin != end) {
    if (std::next(begin) != end) return absl::UnauthenticatedError("there is more than one header 'authorization'");
    credentials.authorization = absl::string_view(begin->second.data(), begin->second.size());
  }
  std::string name;
  if (!security.tls().client_authorities.empty()) {
    const std::vector<grpc::string_ref> names = call.auth_context()->FindPropertyValues("x509_common_name");
    if (!names.empty()) name.assign(names[0].data(), names[0].size());
    credentials.certificate_name = name;
  }
  return security.Check(credentials);
}

void LimitGrpcToTls13() {
  // A cipher of 1.2 that needs a key which both sides know beforehand; there is none.
  setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES128-GCM-SHA256", /*overwrite=*/1);
}

}  // namespace anybit::server
