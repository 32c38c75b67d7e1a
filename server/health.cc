#include "server/health.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "proto/health.grpc.pb.h"
#include "server/grpc_status.h"

namespace anybit::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

grpc::ByteBuffer Serialize(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  grpc::ByteBuffer bytes;
  bool own_buffer;
  (void)grpc::SerializationTraits<HealthCheckResponse>::Serialize(response, &bytes, &own_buffer);
  return bytes;
}

}  // namespace

class Health::WatchCall final : public CallHandler {
 public:
  WatchCall(IncomingCall& call, Health& health) : call_(call), health_(health) {}

  void OnTaken() override { call_.Read(&request_); }
  void OnRead() override {
    HealthCheckRequest request;
    if (!grpc::SerializationTraits<HealthCheckRequest>::Deserialize(&request_, &request).ok()) {
      call_.Finish(
          ToGrpcStatus(absl::InvalidArgumentError("the message is not a HealthCheckRequest: it cannot be parsed")));
      return;
    }
    absl::MutexLock lock(&health_.mutex_);
    state_.service = request.service();
    health_.watches_.insert(this);
    health_.Continue(*this);
  }

  void OnWritten(bool) override {
    absl::MutexLock lock(&health_.mutex_);
    state_.is_writing = false;
    health_.Continue(*this);
  }
  void OnCancelled() override {
    absl::MutexLock lock(&health_.mutex_);
    state_.is_cancelled = true;
    if (health_.watches_.contains(this)) health_.Continue(*this);  // otherwise reading fails
  }
  void OnEnded() override {
    absl::MutexLock lock(&health_.mutex_);
    health_.watches_.erase(this);
  }

 private:
  friend class Health;

  IncomingCall& call_;
  Health& health_;

  grpc::ByteBuffer request_;

  // With health_.mutex_ held only.
  struct {
    std::string service;
    std::optional<Status> sent;
    grpc::ByteBuffer message;  // of the write under way
    bool is_writing = false;
    bool is_cancelled = false;
    bool is_finished = false;
  } state_;
};

// Sends the status, and again whenever it has changed by the end of the write before.
void Health::Continue(WatchCall& watch) {
  auto& state = watch.state_;
  if (state.is_writing || state.is_finished) return;
  const Status status = GetLocked(state.service);
  if (state.is_cancelled) {
    state.is_finished = true;
    watch.call_.Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the call was cancelled"));
  } else if (state.sent != status) {
    state.message = Serialize(status);
    state.sent = status;
    state.is_writing = true;
    watch.call_.Write(state.message);
  } else if (is_shut_down_) {
    state.is_finished = true;
    watch.call_.Finish(ToGrpcStatus(absl::UnavailableError("the server is stopping")));
  }
}

Health::Status Health::Get(const std::string& service) {
  absl::MutexLock lock(&mutex_);
  return GetLocked(service);
}

Health::Status Health::GetLocked(const std::string& service) {
  const auto found = statuses_.find(service);
  if (found == statuses_.end()) return HealthCheckResponse::SERVICE_UNKNOWN;
  return is_shut_down_ ? HealthCheckResponse::NOT_SERVING : found->second;
}

void Health::Set(const std::string& service, Status status) {
  absl::MutexLock lock(&mutex_);
  statuses_[service] = status;
  for (WatchCall* watch : watches_) Continue(*watch);
}

void Health::Shutdown() {
  absl::MutexLock lock(&mutex_);
  is_shut_down_ = true;
  for (WatchCall* watch : watches_) Continue(*watch);
}

std::unique_ptr<CallHandler> Health::Watch(IncomingCall& call) { return std::make_unique<WatchCall>(call, *this); }

}  // namespace anybit::server
