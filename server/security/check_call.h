// TLS as gRPC's server uses it: each handshake gets the identity that is in force.
#ifndef ANYBIT_SERVER_SECURITY_GRPC_CREDENTIALS_H_
#define ANYBIT_SERVER_SECURITY_GRPC_CREDENTIALS_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/statusor.h"
#include "server/security/caller.h"
#include "server/security/security.h"

namespace anybit::server {

// For one acceptor of connections. Without TLS: insecure ones. `security` outlives the server.
std::shared_ptr<grpc::ServerCredentials> GrpcCredentials(const Security& security);

// Whether `call` may be answered, and what its client may do: Security::Check of what the call shows.
absl::StatusOr<Caller> CheckCall(const Security& security, const grpc::ServerContext& call);

// gRPC has no setting for the lowest version of TLS, which is 1.2. So it gets no cipher that 1.2 could use: those of
// 1.3 are another list. For the whole process, before gRPC is used.
void LimitGrpcToTls13();

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SECURITY_GRPC_CREDENTIALS_H_
