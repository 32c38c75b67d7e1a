#include "server/security/check_call.h"

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace anybit::server {

absl::StatusOr<Caller> CheckCall(const Security& security, const grpc::ServerContext& call) {
  if (!security.is_on()) return Caller();
  Credentials credentials;
  const auto& metadata = call.client_metadata();
  const auto [begin, end] = metadata.equal_range("authorization");
  if (begin != end) {
    if (std::next(begin) != end) return absl::UnauthenticatedError("there is more than one header 'authorization'");
    credentials.authorization = absl::string_view(begin->second.data(), begin->second.size());
  }
  if (!security.tls().client_authorities.empty()) {
    const auto name = metadata.find(kClientNameHeader);
    if (name == metadata.end()) return absl::UnauthenticatedError("the client has shown no certificate");
    credentials.certificate_name = absl::string_view(name->second.data(), name->second.size());
  }
  return security.Check(credentials);
}

}  // namespace anybit::server
