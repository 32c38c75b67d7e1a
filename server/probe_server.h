// Answers probes, and nothing else, on an address of its own: /livez and /readyz by HTTP, grpc.health.v1.Health by
// gRPC.
//
// Probes of an orchestrator have neither certificates nor tokens, and tell nothing but whether the server is ready.
// Both protocols share the port: a connection that begins like HTTP/2 is gRPC's. Watch is not offered here.
#ifndef ANYBIT_SERVER_PROBE_SERVER_H_
#define ANYBIT_SERVER_PROBE_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/http/http_server.h"

namespace anybit::server {

class ProbeServer {
 public:
  // Listens on `addresses` (base/listening_sockets.h has the errors). `is_ready` is called on any thread, must not
  // block, and outlives the server.
  static absl::StatusOr<std::unique_ptr<ProbeServer>> Start(const std::string& addresses, int unix_mode,
                                                            std::function<bool()> is_ready);
  ~ProbeServer();

  const std::vector<int>& ports() const { return http_->ports(); }

 private:
  class HealthService;

  explicit ProbeServer(std::function<bool()> is_ready);

  const std::unique_ptr<HealthService> health_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<HttpServer> http_;  // gives connections to grpc_
};

// The answer to GET of /livez or /readyz.
HttpAnswer AnswerProbe(const HttpHead& head, bool is_ready);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PROBE_SERVER_H_
