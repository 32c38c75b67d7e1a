#include "server/inference_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/version.h"
#include "server/inference_payload.h"
#include "server/translate.h"

namespace anybit {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr absl::string_view kInferMethod = "/inference.GRPCInferenceService/ModelInfer";

// What a call takes besides its tensors: gRPC's call and stream, our reactor, its place in the queue. Of 17,600 waiting
// calls of 1 KiB, each took 17.3 KiB of resident memory.
constexpr int64_t kCallOverhead = 16 * 1024;

// What to wait before a retry when the scheduler cannot tell: long enough to end a retry storm, short for a person.
constexpr Duration kDefaultRetryAfter = std::chrono::milliseconds(100);

ServerUnaryReactor* Finish(CallbackServerContext* context, const absl::Status& status = absl::OkStatus()) {
  ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

// What is left of the deadline that the client gave to gRPC, which is in wall time; Duration::max() if there is none.
Duration LeftOfGrpcDeadline(const CallbackServerContext& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return Duration::max();
  return deadline - std::chrono::system_clock::now();
}

// gRPC tells of a client that cancels and of a deadline that ends in the same way. What comes within this time before
// the end is taken for the end. The client's timer is the first to fire: the server's copy of that instant is later by
// the way of the call (a few milliseconds where deadlines of tens of them make sense) and by the rounding of the wire,
// which carries the time left in two digits or more, rounded up. A cancellation mistaken for the end costs at most a
// run for nobody; the bound keeps such a call from holding up the server's stop.
Duration NearTheEnd(Duration time_limit) {
  constexpr Duration kWay = std::chrono::milliseconds(5);
  constexpr Duration kMostRounding = std::chrono::seconds(1);
  return kWay + std::min(time_limit / 100, kMostRounding);
}

// The status of an early refusal. Most of many in a row are equal, and making one takes as long as checking the call.
const grpc::Status& TooLate(std::chrono::milliseconds retry_after) {
  thread_local std::chrono::milliseconds made_for(-1);
  thread_local grpc::Status status;
  if (made_for != retry_after) {
    status = ToGrpcStatus(absl::ResourceExhaustedError(absl::StrCat(
                              "no operating point can meet the deadline behind the requests that wait; they take ",
                              retry_after.count(), " ms")),
                          retry_after);
    made_for = retry_after;
  }
  return status;
}

// A call that is not read: its answer is `status`.
class RefusedCall final : public grpc::ServerGenericBidiReactor {
 public:
  explicit RefusedCall(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

// What a caller of a method that is not offered can do instead.
std::string Instead(absl::string_view method) {
  struct Advice {
    absl::string_view part;  // of the method's name
    absl::string_view text;
  };
  constexpr Advice kAdvice[] = {
      {"/ModelStreamInfer", "send each request by ModelInfer; calls of one channel run at the same time"},
      {"/ModelStatistics", "the server's HTTP port has them at /metrics"},
      {"/RepositoryModel", "a server serves one network; start another with --artifact"},
      {"SharedMemory", "send the tensor in raw_input_contents"},
      {"/TraceSetting", "the HTTP port has counts and durations at /metrics"},
      {"/LogSettings", "the server's flags say what it logs"},
  };
  for (const Advice& advice : kAdvice) {
    if (absl::StrContains(method, advice.part)) return absl::StrCat(": ", advice.text);
  }
  return "; it offers inference.GRPCInferenceService, grpc.health.v1.Health and reflection";
}

}  // namespace

// One call of ModelInfer. gRPC deletes it through OnDone, which comes after Finish, after OnReadDone and any OnCancel
// have returned. So it is alive whenever one of these or the scheduler's answer runs.
class InferenceService::InferReactor final : public grpc::ServerGenericBidiReactor {
 public:
  InferReactor(InferenceService& service, CallbackServerContext& context)
      : service_(service),
        context_(context),
        near_the_end_(NearTheEnd(LeftOfGrpcDeadline(context))),
        share_(service.memory_) {
    service_.CallBegins();
    if (service_.state_ == ServingState::kStarting) {
      service_.observer_.OnUnavailable();
      Finish(ToGrpcStatus(absl::UnavailableError("the server is starting")));
      return;
    }
    // What the message asks for can only make it later.
    if (const Duration left = LeftOfGrpcDeadline(context_); left < Duration::max()) {
      time_at_arrival_ = left;
      if (const auto retry_after = service_.scheduler_.RefuseEarly(SaturatingAdd(service_.loop_.Now(), left))) {
        service_.observer_.OnShed();
        ShedEarly(*retry_after);
        return;
      }
    }
    // How large the message is will be known when it is read.
    if (!Hold(LargestRawRequestBytes(service_.model_))) return;
    StartRead(&message_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      service_.observer_.OnRefusedCall(RefusedCallReason::kIncompleteMessage);
      Finish(ToGrpcStatus(absl::InvalidArgumentError("the call ended before its message was complete")));
      return;
    }
    try {
      Begin(service_.loop_.Now());
    } catch (const std::bad_alloc&) {
      RefuseForMemory(absl::StrCat("the server has no memory left for this request of ", share_.bytes(), " bytes"));
    }
  }

  // At the end of the deadline the scheduler needs no help: it expires what waits and counts what runs as missed.
  // Cancelled would count as neither.
  void OnCancel() override {
    if (LeftOfGrpcDeadline(context_) <= near_the_end_) return;
    cancelled_ = true;
    if (const uint64_t id = id_; id != 0) service_.scheduler_.Cancel(static_cast<RequestId>(id));
  }
  void OnDone() override {
    // The server's stop waits for this, and the scheduler outlives it. Some are enough to know.
    if (ended_ && id_ % kToldOneIn == 0) TellDelivery();
    if (refused_ && service_.refusals_.fetch_add(1, std::memory_order_relaxed) % kToldOneIn == 0) {
      // A client whose deadline ended before its refusal came waited all that time, most of it unseen in the socket.
      const bool gave_up = id_ == 0 && context_.IsCancelled() && LeftOfGrpcDeadline(context_) <= near_the_end_;
      service_.scheduler_.RefusalSent(*refused_, gave_up ? time_at_arrival_ : Duration::zero());
    }
    InferenceService& service = service_;
    delete this;
    service.CallEnded();
  }

 private:
  static constexpr uint64_t kToldOneIn = 8;

  // An answer whose client gave up at its deadline was under way for longer than the time that was left when its batch
  // ended. A call that was cancelled earlier tells nothing.
  void TellDelivery() {
    if (!context_.IsCancelled()) {
      service_.scheduler_.Delivered(*ended_);
    } else if (LeftOfGrpcDeadline(context_) <= near_the_end_) {
      service_.scheduler_.Delivered(*ended_, deadline_ - *ended_);
    }
  }

  // Submits the request of the message that was read, or ends the call.
  void Begin(MonoTime arrival) {
    if (!Hold(static_cast<int64_t>(message_.Length()))) return;
    inference::ModelInferRequest request;
    const bool parsed = grpc::SerializationTraits<inference::ModelInferRequest>::Deserialize(&message_, &request).ok();
    message_.Clear();
    if (!parsed) {
      service_.observer_.OnInvalid();
      service_.observer_.OnRefusedCall(RefusedCallReason::kMalformedMessage);
      Finish(ToGrpcStatus(absl::InvalidArgumentError("the message is not a ModelInferRequest: it cannot be parsed")));
      return;
    }
    absl::StatusOr<InferCall> call = TranslateRequest(request, service_.model_);
    if (!call.ok()) {
      service_.observer_.OnInvalid();
      Finish(ToGrpcStatus(call.status()));
      return;
    }
    request_id_ = request.id();
    call_ = *std::move(call);
    const Duration time_limit = std::min(call_.time_limit, LeftOfGrpcDeadline(context_));
    deadline_ = SaturatingAdd(arrival, time_limit);
    if (const std::optional<Duration> retry_after = service_.scheduler_.RefuseEarly(deadline_)) {
      service_.scheduler_.ReportRefused(call_.sla_class, call_.tenant, call_.rows);
      ShedEarly(*retry_after);
      return;
    }
    auto payload = std::make_unique<InferencePayload>();
    payload->input = std::move(call_.input);
    payload->output.reserve(call_.rows * service_.model_.network.output.elements);
    // The outputs are held twice while the response is made of them.
    if (!Hold(static_cast<int64_t>(payload->input.size() + 2 * payload->output.capacity() * sizeof(float)))) return;
    id_ = static_cast<uint64_t>(service_.scheduler_.Submit({.deadline = deadline_,
                                                            .allowed = call_.allowed,
                                                            .sla_class = call_.sla_class,
                                                            .tenant = call_.tenant,
                                                            .rows = call_.rows,
                                                            .payload = std::move(payload)},
                                                           [this](Outcome outcome) { Answer(std::move(outcome)); }));
    // A cancellation that came before the id was known.
    if (cancelled_) service_.scheduler_.Cancel(static_cast<RequestId>(id_.load()));
  }

  void Answer(Outcome outcome) {
    if (outcome.kind == OutcomeKind::kShed) {
      refused_ = outcome.ended;
      Shed(outcome.status, outcome.retry_after > Duration::zero() ? outcome.retry_after : kDefaultRetryAfter);
      return;
    }
    if (outcome.kind != OutcomeKind::kServed) {
      Finish(ToGrpcStatus(outcome.status));
      return;
    }
    ended_ = outcome.ended;
    try {
      bool own_buffer;
      const inference::ModelInferResponse response = TranslateOutcome(outcome, request_id_, call_, service_.model_);
      const grpc::Status status =
          grpc::SerializationTraits<inference::ModelInferResponse>::Serialize(response, &response_, &own_buffer);
      if (status.ok()) {
        StartWriteAndFinish(&response_, grpc::WriteOptions(), status);
      } else {
        Finish(status);
      }
    } catch (const std::bad_alloc&) {
      Finish(ToGrpcStatus(absl::ResourceExhaustedError("the server has no memory left for the response")));
    }
  }

  // Holds `bytes` and what a call takes besides; false, and the call ends, if there is no room for them.
  bool Hold(int64_t bytes) {
    if (share_.Resize(bytes + kCallOverhead)) return true;
    const RequestMemory& memory = service_.memory_;
    RefuseForMemory(absl::StrCat("requests hold ", memory.held_bytes(), " bytes, and ", bytes + kCallOverhead,
                                 " more would exceed the server's limit of ", memory.limit_bytes(),
                                 " bytes (--max_queue_bytes)"));
    return false;
  }

  void RefuseForMemory(const std::string& message) {
    service_.observer_.OnShed();
    Shed(absl::ResourceExhaustedError(message), kDefaultRetryAfter);
  }

  void Shed(const absl::Status& status, Duration retry_after) {
    Finish(ToGrpcStatus(status, AddPushback(retry_after)));
  }
  void ShedEarly(Duration retry_after) {
    refused_ = service_.loop_.Now();
    Finish(TooLate(AddPushback(retry_after)));
  }

  // When to try again is said twice: gRPC's own retries read the trailer, applications the status' detail.
  std::chrono::milliseconds AddPushback(Duration retry_after) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(retry_after);
    context_.AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(wait.count()));
    return wait;
  }

  InferenceService& service_;
  CallbackServerContext& context_;
  const Duration near_the_end_;
  RequestMemory::Share share_;
  grpc::ByteBuffer message_;
  std::string request_id_;
  InferCall call_;  // its input has moved on
  MonoTime deadline_{};
  grpc::ByteBuffer response_;
  std::optional<MonoTime> ended_;        // its batch, if it was served
  std::optional<MonoTime> refused_;      // when, if it was shed for the queue
  Duration time_at_arrival_{};           // to the gRPC deadline; 0: there is none
  std::atomic<uint64_t> id_ = 0;         // 0: not submitted yet; threads of OnReadDone and OnCancel
  std::atomic<bool> cancelled_ = false;  // likewise
};

ServerUnaryReactor* InferenceService::ServerLive(CallbackServerContext* context,
                                                 const inference::ServerLiveRequest* request,
                                                 inference::ServerLiveResponse* response) {
  response->set_live(true);
  return Finish(context);
}

ServerUnaryReactor* InferenceService::ServerReady(CallbackServerContext* context,
                                                  const inference::ServerReadyRequest* request,
                                                  inference::ServerReadyResponse* response) {
  response->set_ready(state_ == ServingState::kReady);
  return Finish(context);
}

ServerUnaryReactor* InferenceService::ModelReady(CallbackServerContext* context,
                                                 const inference::ModelReadyRequest* request,
                                                 inference::ModelReadyResponse* response) {
  const absl::Status known = CheckModel(request->name(), request->version(), model_.network);
  response->set_ready(known.ok() && state_ == ServingState::kReady);
  // A model that is not here is not ready, which answers the question.
  return Finish(context, absl::IsNotFound(known) ? absl::OkStatus() : known);
}

ServerUnaryReactor* InferenceService::ServerMetadata(CallbackServerContext* context,
                                                     const inference::ServerMetadataRequest* request,
                                                     inference::ServerMetadataResponse* response) {
  response->set_name(std::string(kServerName));
  response->set_version(std::string(kVersion));
  for (const char* extension : {"classification", "model_configuration", "parameters"}) {
    response->add_extensions(extension);
  }
  return Finish(context);
}

ServerUnaryReactor* InferenceService::ModelMetadata(CallbackServerContext* context,
                                                    const inference::ModelMetadataRequest* request,
                                                    inference::ModelMetadataResponse* response) {
  const absl::Status known = CheckModel(request->name(), request->version(), model_.network);
  if (known.ok()) *response = DescribeModel(model_);
  return Finish(context, known);
}

ServerUnaryReactor* InferenceService::ModelConfig(CallbackServerContext* context,
                                                  const inference::ModelConfigRequest* request,
                                                  inference::ModelConfigResponse* response) {
  const absl::Status known = CheckModel(request->name(), request->version(), model_.network);
  if (known.ok()) *response->mutable_config() = ConfigureModel(model_);
  return Finish(context, known);
}

ServerUnaryReactor* InferenceService::RepositoryIndex(CallbackServerContext* context,
                                                      const inference::RepositoryIndexRequest* request,
                                                      inference::RepositoryIndexResponse* response) {
  const ServingState state = state_;
  if (state != ServingState::kReady && request->ready()) return Finish(context);
  auto& model = *response->add_models();
  model.set_name(model_.network.name);
  model.set_version(absl::StrCat(model_.network.version));
  model.set_state(state == ServingState::kReady ? "READY" : "UNAVAILABLE");
  if (state == ServingState::kStarting) model.set_reason("the server is starting");
  if (state == ServingState::kLeaving) model.set_reason("the server is stopping");
  return Finish(context);
}

grpc::ServerGenericBidiReactor* InferenceService::CreateReactor(grpc::GenericCallbackServerContext* context) {
  if (context->method() == kInferMethod) return new InferReactor(*this, *context);
  observer_.OnRefusedCall(RefusedCallReason::kUnknownMethod);
  return new RefusedCall(absl::UnimplementedError(
      absl::StrCat("this server does not offer ", ShownText(context->method()), Instead(context->method()))));
}

int64_t InferenceService::LargestCallBytes(const ServedModel& model) {
  const int64_t outputs = model.network.output.elements * model.max_batch * static_cast<int64_t>(sizeof(float));
  return kCallOverhead +
         std::max<int64_t>(LargestRequestBytes(model), model.network.input.elements * model.max_batch + 2 * outputs);
}

void InferenceService::WhenIdle(absl::AnyInvocable<void()> idle) {
  {
    absl::MutexLock lock(&mutex_);
    if (open_calls_ > 0) {
      idle_ = std::move(idle);
      return;
    }
  }
  idle();
}

void InferenceService::CallBegins() {
  absl::MutexLock lock(&mutex_);
  ++open_calls_;
}

void InferenceService::CallEnded() {
  absl::AnyInvocable<void()> idle;
  {
    absl::MutexLock lock(&mutex_);
    if (--open_calls_ == 0) idle = std::move(idle_);
  }
  if (idle) idle();
}

}  // namespace anybit
