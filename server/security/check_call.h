// Whether a call of gRPC may be answered, and what its client may do.
#ifndef ANYBIT_SERVER_SECURITY_CHECK_CALL_H_
#define ANYBIT_SERVER_SECURITY_CHECK_CALL_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"
#include "server/security/caller.h"
#include "server/security/security.h"

namespace anybit::server {

// The header in which the front tells gRPC the name in the client's certificate, where clients need one. Whatever a
// client sends in it is dropped (FrontRules::client_name_header).
inline constexpr char kClientNameHeader[] = "anybit-client-name";

// Security::Check of what the call shows.
absl::StatusOr<Caller> CheckCall(const Security& security, const grpc::ServerContext& call);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SECURITY_CHECK_CALL_H_
