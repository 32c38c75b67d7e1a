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
  Server* self = server.get();
  auto exposer = metrics::Exposer::Start(
      self->options_.http_address,
      {.metrics = [self] { return self->MetricsText(); }, .ready = [self] { return self->ready_.load(); }});
  if (!exposer.ok()) return exposer.status();
  self->exposer_ = *std::move(exposer);
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
  serving_->Drain(std::move(drained));
}

void Server::Stop(Duration grace) {
  ready_ = false;
  exposer_.reset();  // first, because its pages look at the rest
  shown_ = nullptr;
  if (serving_ == nullptr) return;
  serving_->Stop(grace);
  serving_.reset();
}

std::string Server::MetricsText() const {
  Serving* shown = shown_;
  return shown == nullptr ? "" : shown->MetricsText();
}

int Server::http_port() const { return exposer_ == nullptr ? 0 : exposer_->port(); }

}  // namespace anybit::server
