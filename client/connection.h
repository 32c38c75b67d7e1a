// From a server's address to a channel, and from a channel that fails to a reason that helps.
#ifndef ANYBIT_CLIENT_CONNECTION_H_
#define ANYBIT_CLIENT_CONNECTION_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"

namespace anybit::client {

struct ServerAddress {
  std::string text;  // as it was given
  std::string host;  // without brackets; empty for a Unix socket
  std::string port;
  bool on_this_machine = false;
};

// From "HOST:PORT", "[IPV6]:PORT", or one of gRPC's names that begin with dns:, ipv4:, ipv6: or unix:. InvalidArgument,
// saying what is missing, for anything else. Looks nothing up.
absl::StatusOr<ServerAddress> ParseServerAddress(const std::string& text);

// A channel without TLS, with a connection of its own. A proxy of the environment (grpc_proxy, https_proxy, http_proxy)
// is used as gRPC does, but never for a server on this machine. It connects when it is first used.
std::shared_ptr<grpc::Channel> OpenChannel(const ServerAddress& address);

// Why the first call on a channel, which had `timeout`, failed: a sentence about the address where there was no
// connection, else the server's own words. Looks the host up to tell a proxy's address from the server's.
absl::Status ExplainFirstCall(const ServerAddress& address, const grpc::Status& failure,
                              std::chrono::milliseconds timeout);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_CONNECTION_H_
