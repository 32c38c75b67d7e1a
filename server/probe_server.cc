#include "server/probe_server.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "proto/health.grpc.pb.h"
#include "server/without_plugins.h"

namespace anybit::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr int kMaxMessageBytes = 1024;
constexpr int kMaxThreads = 4;
constexpr int kMaxMemoryBytes = 16 << 20;

}  // namespace

class ProbeServer::HealthService final : public grpc::health::v1::Health::Service {
 public:
  explicit HealthService(std::function<bool()> is_ready) : is_ready_(std::move(is_ready)) {}

  bool is_ready() const { return is_ready_(); }

 private:
  grpc::Status Check(grpc::ServerContext*, const HealthCheckRequest* request, HealthCheckResponse* response) override {
    const bool serves = request->service() == "liveness" || is_ready();
    response->set_status(serves ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
    return grpc::Status::OK;
  }

  const std::function<bool()> is_ready_;
};

HttpAnswer AnswerProbe(const HttpHead& head, bool is_ready) {
  if (head.method != "GET" && head.method != "HEAD") {
    return {.status = 405, .fields = {{"Allow", "GET, HEAD"}}, .body = "only GET and HEAD are answered\n"};
  }
  if (head.path == "/livez") return {.body = "live\n"};
  if (is_ready) return {.body = "ready\n"};
  return {.status = 503, .body = "not ready\n"};
}

ProbeServer::ProbeServer(std::function<bool()> is_ready)
    : health_(std::make_unique<HealthService>(std::move(is_ready))) {}

ProbeServer::~ProbeServer() {
  http_.reset();
  if (grpc_ != nullptr) grpc_->Shutdown(std::chrono::system_clock::now());
}

absl::StatusOr<std::unique_ptr<ProbeServer>> ProbeServer::Start(const std::string& addresses, int unix_mode,
                                                                std::function<bool()> is_ready) {
  std::unique_ptr<ProbeServer> server(new ProbeServer(std::move(is_ready)));
  grpc::ServerBuilder builder;
  builder.SetOption(std::make_unique<WithoutPlugins>());
  builder.RegisterService(server->health_.get());
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  grpc::ResourceQuota quota("probes");
  quota.SetMaxThreads(kMaxThreads);
  quota.Resize(kMaxMemoryBytes);
  builder.SetResourceQuota(quota);
  server->grpc_ = builder.BuildAndStart();
  const auto route = [probes = server.get()](const HttpHead& head) -> HttpAction {
    if (head.path == "/livez" || head.path == "/readyz") return AnswerProbe(head, probes->health_->is_ready());
    return HttpAnswer{.status = 404, .body = "there are /livez and /readyz\n"};
  };
  const auto take = [grpc = server->grpc_.get()](int socket) { grpc::AddInsecureChannelFromFd(grpc, socket); };
  auto http = HttpServer::Start(addresses, route, {}, {.unix_mode = unix_mode, .take_http2 = take});
  if (!http.ok()) return http.status();
  server->http_ = *std::move(http);
  return server;
}

}  // namespace anybit::server
