#include "server/server.h"

#include <memory>
#include <string>
#include <utility>

#include "server/grpc_server.h"

namespace anybit::server {

Server::Server(ServerOptions options, MakeServing make_serving)
    : options_(std::move(options)), make_serving_(std::move(make_serving)) {}

Server::~Server() { Stop(Duration::zero()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(ServerOptions options, MakeServing make_serving) {
  if (absl::Status status = ValidateOptions(options); !status.ok()) return status;
  std::unique_ptr<Server> server(new Server(std::move(options), std::move(make_serving)));
  // gRPC binds last, and says only that it could not.
  if (absl::Status status = GrpcServer::CanServe(server->options_.grpc_address); !status.ok()) return status;
  if (server->options_.http_address.empty()) return server;
  auto http = HttpServer::Start(server->options_.http_address,
                                [self = server.get()](const HttpHead& head) { return self->RouteHttp(head); });
  if (!http.ok()) return http.status();
  server->http_ = *std::move(http);
  return server;
}

absl::Status Server::Serve(std::unique_ptr<model::AdaptiveNetwork> network) {
  absl::StatusOr<std::unique_ptr<Serving>> serving = make_serving_(options_, std::move(network));
  if (!serving.ok()) return serving.status();
  serving_ = *std::move(serving);
  shown_ = serving_.get();
  serving_->SetReadiness(true);
  ready_ = true;
  return absl::OkStatus();
}

void Server::StopBeingReady() {
  ready_ = false;
  serving_->SetReadiness(false);
}

void Server::Drain(absl::AnyInvocable<void()> drained) {
  StopBeingReady();
  if (http_ != nullptr) http_->StopKeepingAlive();
  serving_->Drain(std::move(drained));
}

void Server::Stop(Duration grace) {
  ready_ = false;
  // First, because its handlers look at the rest.
  if (http_ != nullptr) http_->Finish(grace);
  http_.reset();
  shown_ = nullptr;
  if (serving_ == nullptr) return;
  serving_->Stop(grace);
  serving_.reset();
}

HttpAction Server::RouteHttp(const HttpHead& head) const {
  const bool is_get = head.method == "GET" || head.method == "HEAD";
  const bool is_probe = head.path == "/livez" || head.path == "/readyz" || head.path == "/metrics";
  if (is_probe && !is_get) {
    return HttpAnswer{.status = 405, .fields = {{"Allow", "GET, HEAD"}}, .body = "only GET and HEAD are answered\n"};
  }
  if (head.path == "/livez") return HttpAnswer{.body = "live\n"};
  if (head.path == "/readyz") {
    const Serving* shown = shown_;
    return ready_ && shown != nullptr && shown->CanServe() ? HttpAnswer{.body = "ready\n"}
                                                           : HttpAnswer{.status = 503, .body = "not ready\n"};
  }
  if (head.path == "/metrics") {
    return HttpRoute{.handle = [this](const std::shared_ptr<HttpCall>& call) {
      call->Answer({.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = MetricsText()});
    }};
  }
  if (head.path != "/v2" && head.path.rfind("/v2/", 0) != 0) {
    return HttpAnswer{.status = 404, .body = "there are /v2, /metrics, /livez and /readyz\n"};
  }
  if (Serving* const shown = shown_) return shown->RouteHttp(head);
  if (head.path == "/v2/health/live" && is_get) return HttpAnswer{.content_type = "application/json"};
  return HttpAnswer{
      .status = 503, .content_type = "application/json", .body = "{\"error\":\"the server is starting\"}"};
}

std::string Server::MetricsText() const {
  Serving* shown = shown_;
  return shown == nullptr ? "" : shown->MetricsText();
}

int Server::http_port() const { return http_ == nullptr ? 0 : http_->port(); }

}  // namespace anybit::server
