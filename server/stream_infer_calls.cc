#include "server/stream_infer_calls.h"

#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "proto/inference.grpc.pb.h"
#include "scheduler/request.h"
#include "server/edge_observer.h"
#include "server/grpc_status.h"
#include "server/inference.h"
#include "server/parse_message.h"
#include "server/peek_request.h"
#include "server/refuse_early.h"
#include "server/security/caller.h"
#include "server/serving_state.h"

namespace anybit::server {
namespace {

// A client that sends this header wants the status of gRPC for the first error, and the end of the stream (Triton's
// convention).
constexpr char kErrorHeader[] = "triton_grpc_error";

bool WantsStatus(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find(kErrorHeader);
  return found != context.client_metadata().end() && found->second == "true";
}

// These texts are short enough to be copied without an allocation.
grpc::Status NoMemory() { return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "out of memory"); }
grpc::Status Cancelled() { return grpc::Status(grpc::StatusCode::CANCELLED, "cancelled"); }

absl::Status NoMemoryForRequest() {
  try {
    return absl::ResourceExhaustedError("the server has no memory left for this request");
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
}

grpc::Status Stopping() { return ToGrpcStatus(absl::UnavailableError("the server is stopping")); }

}  // namespace

// One stream. Events of the call and answers of the scheduler come on different threads.
class StreamInferCalls::Call final : public CallHandler {
 public:
  Call(StreamInferCalls& calls, IncomingCall& call)
      : calls_(calls), incoming_(call), wants_status_(WantsStatus(call.context())) {}

  void OnTaken() override {
    if (calls_.parts_.state == ServingState::kStarting) {
      calls_.parts_.observer.OnUnavailable();
      incoming_.Finish(ToGrpcStatus(absl::UnavailableError("the server is starting")));
      return;
    }
    if (!calls_.Enter(this)) return incoming_.Finish(Stopping());
    incoming_.ReadNext(&message_);
  }

  void OnRead() override {
    if (const std::shared_ptr<Request> request = AddRequest()) Begin(request);
    bool reads_on;
    {
      absl::MutexLock lock(&mutex_);
      reads_on = MayRead();
      is_reading_ = reads_on;
    }
    if (reads_on) return incoming_.ReadNext(&message_);
    Go();
  }

  void OnReadsEnded() override {
    {
      absl::MutexLock lock(&mutex_);
      is_reading_ = false;
      if (!end_.has_value()) end_ = grpc::Status::OK;
    }
    Go();
  }

  void OnWritten(bool ok) override {
    bool reads_on;
    {
      absl::MutexLock lock(&mutex_);
      is_writing_ = false;
      requests_.pop_front();
      reads_on = !is_reading_ && MayRead();
      is_reading_ = is_reading_ || reads_on;
    }
    calls_.open_.End();
    if (reads_on) incoming_.ReadNext(&message_);
    Go();
  }

  void OnCancelled() override {
    {
      absl::MutexLock lock(&mutex_);
      Abandon(Cancelled());
    }
    Go();
  }

  void OnEnded() override { calls_.Leave(this); }

  // The server drains. Any thread; the call has not ended.
  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      if (!end_.has_value()) end_ = Stopping();
    }
    Go();
  }

 private:
  // A request from its reading until its response is sent.
  struct Request {
    explicit Request(const ModelInferParts& parts) : inference(parts) {}
    Inference inference;
    std::string id;
    // Of the stream's mutex:
    bool is_done = false;
    absl::Status status;
    grpc::ByteBuffer response;
  };

  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !end_.has_value() && requests_.size() < kMaxOpenRequests;
  }

  // The request of the message that was read; null, and the stream ends, if there is no memory for it.
  std::shared_ptr<Request> AddRequest() {
    absl::MutexLock lock(&mutex_);
    try {
      auto request = std::make_shared<Request>(calls_.parts_);
      requests_.push_back(request);
      calls_.open_.Begin();
      return request;
    } catch (const std::bad_alloc&) {
      Abandon(NoMemory());
      return nullptr;
    }
  }

  // Ends with `status`; responses that are not sent yet will not be.
  void Abandon(grpc::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (is_abandoned_) return;
    is_abandoned_ = true;
    end_ = std::move(status);
    for (const auto& request : requests_) request->inference.Cancel();
  }

  void Begin(const std::shared_ptr<Request>& request) {
    try {
      inference::ModelInferRequest message;
      absl::Status status = request->inference.Hold(static_cast<int64_t>(message_.Length()) + kCallOverhead);
      if (status.ok()) status = RefuseByHead(*request);
      if (status.ok()) {
        status = Parse(message);
        request->id = message.id();
        if (status.ok()) status = Bind(message);
      }
      message_.Clear();
      if (!status.ok()) return Done(request, status, nullptr);
      request->inference.Begin(message, "", [this, request](scheduler::Outcome outcome) {
        Done(request, outcome.status, outcome.kind == scheduler::OutcomeKind::kServed ? &outcome : nullptr);
      });
    } catch (const std::bad_alloc&) {
      Done(request, NoMemoryForRequest(), nullptr);
    }
  }

  // ResourceExhausted if the message's parameters suffice to refuse it.
  absl::Status RefuseByHead(Request& request) {
    if (!calls_.parts_.versions.RefusesSomeEarly()) return absl::OkStatus();
    std::optional<inference::ModelInferRequest> head = PeekRequest(message_);
    if (!head.has_value() || !BindTenant(incoming_.caller(), *head).ok()) return absl::OkStatus();
    const std::optional<Duration> retry_after = request.inference.RefuseEarly(*head);
    if (!retry_after.has_value()) return absl::OkStatus();
    request.id = head->id();
    return TooLateStatus(*retry_after);
  }

  absl::Status Bind(inference::ModelInferRequest& message) {
    absl::Status bound = BindTenant(incoming_.caller(), message);
    if (!bound.ok()) calls_.parts_.observer.OnInvalid(bound);
    return bound;
  }

  absl::Status Parse(inference::ModelInferRequest& message) {
    absl::Status parsed = ParseMessage(message_, message);
    if (parsed.ok()) return parsed;
    calls_.parts_.observer.OnInvalid(parsed);
    calls_.parts_.observer.OnRefusedCall(RefusedCallReason::kMalformedMessage);
    return parsed;
  }

  // The response of `request` is known. `outcome` is null for an error.
  void Done(const std::shared_ptr<Request>& request, const absl::Status& status, const scheduler::Outcome* outcome) {
    std::optional<grpc::ByteBuffer> bytes;
    try {
      bytes = ResponseBytes(*request, status, outcome);
    } catch (const std::bad_alloc&) {
      // Then the stream ends.
    }
    {
      absl::MutexLock lock(&mutex_);
      request->is_done = true;
      request->status = status;
      if (bytes.has_value()) {
        request->response = *std::move(bytes);
      } else {
        Abandon(NoMemory());
      }
    }
    Go();
  }

  static grpc::ByteBuffer ResponseBytes(const Request& request, const absl::Status& status,
                                        const scheduler::Outcome* outcome) {
    inference::ModelStreamInferResponse response;
    if (outcome != nullptr) {
      *response.mutable_infer_response() = request.inference.Response(*outcome);
      (*response.mutable_infer_response()->mutable_parameters())["triton_final_response"].set_bool_param(true);
    } else {
      response.set_error_message(std::string(status.message()));
      response.mutable_infer_response()->set_id(request.id);
    }
    bool own_buffer;
    grpc::ByteBuffer bytes;
    (void)grpc::SerializationTraits<inference::ModelStreamInferResponse>::Serialize(response, &bytes, &own_buffer);
    return bytes;
  }

  // Sends the next response, drops those that will not be sent, or ends the call, whichever is due. The last use of
  // this where it ends the call. Lets no std::bad_alloc out: requests of this stream may be at the scheduler.
  void Go() {
    const grpc::ByteBuffer* response = nullptr;
    std::optional<grpc::Status> end;
    int dropped = 0;
    StreamInferCalls& calls = calls_;  // another thread may end the call while requests are dropped
    {
      absl::MutexLock lock(&mutex_);
      if (is_writing_ || is_finished_) return;
      if (!requests_.empty() && requests_.front()->is_done && !requests_.front()->status.ok() && wants_status_) {
        AbandonWith(requests_.front()->status);
      }
      while (is_abandoned_ && !requests_.empty() && requests_.front()->is_done) {
        requests_.pop_front();
        ++dropped;
      }
      if (!requests_.empty() && requests_.front()->is_done) {
        is_writing_ = true;
        response = &requests_.front()->response;
      } else if (requests_.empty() && end_.has_value()) {
        is_finished_ = true;
        end = *std::move(end_);  // it stays set
      }
    }
    for (; dropped > 0; --dropped) calls.open_.End();
    if (response != nullptr) return incoming_.Write(*response);
    if (end.has_value()) Finish(*end);
  }

  void AbandonWith(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    try {
      Abandon(ToGrpcStatus(status));
    } catch (const std::bad_alloc&) {
      Abandon(NoMemory());
    }
  }

  void Finish(const grpc::Status& status) {
    try {
      incoming_.Finish(status);
    } catch (const std::bad_alloc&) {
      incoming_.FinishForMemory();
    }
  }

  StreamInferCalls& calls_;
  IncomingCall& incoming_;
  const bool wants_status_;
  grpc::ByteBuffer message_;  // being read

  absl::Mutex mutex_;
  std::deque<std::shared_ptr<Request>> requests_ ABSL_GUARDED_BY(mutex_);  // in the order of their reading
  bool is_reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;          // the response of the first request
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);  // once no further request is read: how the stream ends
  bool is_abandoned_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_finished_ ABSL_GUARDED_BY(mutex_) = false;
};

std::unique_ptr<CallHandler> StreamInferCalls::Handle(IncomingCall& call) {
  return std::make_unique<Call>(*this, call);
}

bool StreamInferCalls::Enter(Call* call) {
  absl::MutexLock lock(&mutex_);
  if (is_draining_) return false;
  calls_.insert(call);
  return true;
}

void StreamInferCalls::Leave(Call* call) {
  absl::MutexLock lock(&mutex_);
  calls_.erase(call);
}

void StreamInferCalls::Drain() {
  absl::MutexLock lock(&mutex_);
  is_draining_ = true;
  for (Call* call : calls_) call->Stop();
}

}  // namespace anybit::server
