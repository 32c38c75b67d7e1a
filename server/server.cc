#include "server/server.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/event_log.h"
#include "server/grpc_deadline.h"
#include "server/grpc_server.h"

namespace anybit::server {

Server::Server(ServerOptions options, MakeServing make_serving)
    : options_(std::move(options)), make_serving_(std::move(make_serving)) {}

Server::~Server() { Stop(Duration::zero()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(ServerOptions options, MakeServing make_serving) {
  if (absl::Status status = ValidateOptions(options); !status.ok()) return status;
  std::unique_ptr<Server> server(new Server(std::move(options), std::move(make_serving)));
  if (absl::Status status = server->LoadSecurity(); !status.ok()) return status;
  // gRPC binds last, and says only that it could not.
  if (absl::Status status = GrpcServer::CanServe(server->options_.grpc_address); !status.ok()) return status;
  if (absl::Status status = server->StartHttp(); !status.ok()) return status;
  return server;
}

absl::Status Server::LoadSecurity() {
  std::vector<std::string> tenants;
  for (const Tenant& tenant : options_.tenants) tenants.push_back(tenant.name);
  auto security =
      Security::Load(options_.security, std::move(tenants), WallNow,
                     [log = options_.log](Security::ReportKind kind, const std::string& line) {
                       Say(log, kind == Security::ReportKind::kNews ? LogLevel::kInfo : LogLevel::kError, line);
                     });
  if (!security.ok()) return security.status();
  security_ = *std::move(security);
  return absl::OkStatus();
}

absl::Status Server::StartHttp() {
  if (!options_.http_address.empty()) {
    HttpTransport transport{.least_tls = options_.security.tls.least_version, .unix_mode = options_.unix_socket_mode};
    if (security_->tls().is_on()) transport.tls = [this] { return security_->tls_identity(); };
    auto http = HttpServer::Start(
        options_.http_address, [this](const HttpHead& head) { return RouteHttp(head); },
        {.connections = options_.connections.max_http}, std::move(transport));
    if (!http.ok()) return http.status();
    http_ = *std::move(http);
  }
  if (options_.health_address.empty()) return absl::OkStatus();
  auto probes = ProbeServer::Start(options_.health_address, options_.unix_socket_mode, [this] { return IsReady(); });
  if (!probes.ok()) return probes.status();
  probes_ = *std::move(probes);
  return absl::OkStatus();
}

absl::Status Server::Serve(std::unique_ptr<model::AdaptiveNetwork> network) {
  absl::StatusOr<std::unique_ptr<Serving>> serving = make_serving_(options_, *security_, std::move(network));
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
  probes_.reset();
  shown_ = nullptr;
  if (serving_ == nullptr) return;
  serving_->Stop(grace);
  serving_.reset();
}

bool Server::IsReady() const {
  const Serving* shown = shown_;
  return ready_ && shown != nullptr && shown->CanServe();
}

HttpAction Server::RouteHttp(const HttpHead& head) const {
  // It asks for the token that its own requests need.
  if (std::optional<HttpAnswer> page = page_.Answer(head)) return *std::move(page);
  const absl::StatusOr<Caller> caller =
      security_->Check({.authorization = head.Field("Authorization"), .certificate_name = head.client_name});
  if (caller.ok()) return RouteKnown(head, *caller);
  return HttpAnswer{.status = 401,
                    .content_type = "application/json",
                    .fields = {{"WWW-Authenticate", "Bearer"}},
                    .body = absl::StrCat("{\"error\":\"", caller.status().message(), "\"}")};
}

HttpAction Server::RouteKnown(const HttpHead& head, const Caller& caller) const {
  const bool is_get = head.method == "GET" || head.method == "HEAD";
  if (head.path == "/livez" || head.path == "/readyz") return AnswerProbe(head, IsReady());
  if (head.path == "/metrics") {
    if (!is_get) {
      return HttpAnswer{.status = 405, .fields = {{"Allow", "GET, HEAD"}}, .body = "only GET and HEAD are answered\n"};
    }
    return HttpRoute{.handle = [this](const std::shared_ptr<HttpCall>& call) {
      call->Answer({.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = MetricsText()});
    }};
  }
  if (head.path != "/v2" && head.path.rfind("/v2/", 0) != 0) {
    return HttpAnswer{.status = 404, .body = "there are /, /v2, /metrics, /livez and /readyz\n"};
  }
  if (Serving* const shown = shown_) return shown->RouteHttp(head, caller);
  if (head.path == "/v2/health/live" && is_get) {
    return HttpAnswer{.content_type = "application/json", .body = R"({"live":true})"};
  }
  return HttpAnswer{
      .status = 503, .content_type = "application/json", .body = "{\"error\":\"the server is starting\"}"};
}

std::string Server::MetricsText() const {
  Serving* shown = shown_;
  return shown == nullptr ? "" : shown->MetricsText();
}

int Server::http_port() const { return http_ == nullptr ? 0 : http_->port(); }

std::vector<int> Server::http_ports() const { return http_ == nullptr ? std::vector<int>() : http_->ports(); }

std::vector<int> Server::health_ports() const { return probes_ == nullptr ? std::vector<int>() : probes_->ports(); }

}  // namespace anybit::server
