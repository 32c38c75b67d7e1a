#include "server/inference_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/inference_payload.h"
#include "server/translate.h"

namespace anybit {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

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

// One call of ModelInfer. gRPC deletes it through OnDone, which comes after Finish and after any OnCancel has returned;
// Finish is called once, by the scheduler's answer. So it is alive whenever one of these three runs.
class InferReactor final : public ServerUnaryReactor {
 public:
  InferReactor(CallbackServerContext& context, const ServedModel& model, Scheduler& scheduler, std::string request_id,
               InferCall call, inference::ModelInferResponse& response)
      : context_(context),
        near_the_end_(NearTheEnd(LeftOfGrpcDeadline(context))),
        model_(model),
        scheduler_(scheduler),
        request_id_(std::move(request_id)),
        call_(std::move(call)),
        response_(response) {}

  void Submit(MonoTime deadline) {
    auto payload = std::make_unique<InferencePayload>();
    payload->input = std::move(call_.input);
    payload->output.reserve(call_.rows * model_.network.output.elements);
    id_ = scheduler_.Submit({.deadline = deadline,
                             .allowed = call_.allowed,
                             .sla_class = call_.sla_class,
                             .tenant = call_.tenant,
                             .rows = call_.rows,
                             .payload = std::move(payload)},
                            [this](Outcome outcome) { Answer(std::move(outcome)); });
  }

  // gRPC calls this only after the method returned this reactor, so id_ is set. At the end of the deadline the
  // scheduler needs no help: it expires what waits and counts what runs as missed. Cancelled would count as neither.
  void OnCancel() override {
    if (LeftOfGrpcDeadline(context_) > near_the_end_) scheduler_.Cancel(id_);
  }
  void OnDone() override {
    // The server's stop waits for this, and the scheduler outlives it. Some are enough to know, and what nobody waited
    // for was not sent.
    const bool told = static_cast<uint64_t>(id_) % kToldOneIn == 0 && !context_.IsCancelled();
    if (ended_ && told) scheduler_.Delivered(*ended_);
    delete this;
  }

 private:
  static constexpr uint64_t kToldOneIn = 8;

  void Answer(Outcome outcome) {
    if (outcome.kind == OutcomeKind::kShed) {
      // Said twice: gRPC's own retries read the trailer, applications the detail.
      const Duration after = outcome.retry_after > Duration::zero() ? outcome.retry_after : kDefaultRetryAfter;
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(after);
      context_.AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(wait.count()));
      Finish(ToGrpcStatus(outcome.status, wait));
      return;
    }
    if (outcome.kind == OutcomeKind::kServed) {
      ended_ = outcome.ended;
      response_ = TranslateOutcome(outcome, request_id_, call_, model_);
    }
    Finish(ToGrpcStatus(outcome.status));
  }

  CallbackServerContext& context_;
  const Duration near_the_end_;
  const ServedModel& model_;
  Scheduler& scheduler_;
  const std::string request_id_;
  InferCall call_;   // its input has moved on
  inference::ModelInferResponse& response_;
  RequestId id_{};
  std::optional<MonoTime> ended_;   // its batch, if it was served
};

}  // namespace

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
  response->set_version(std::string(kServerVersion));
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

ServerUnaryReactor* InferenceService::ModelInfer(CallbackServerContext* context,
                                                 const inference::ModelInferRequest* request,
                                                 inference::ModelInferResponse* response) {
  const MonoTime arrival = loop_.Now();
  if (state_ == ServingState::kStarting) {
    observer_.OnUnavailable();
    return Finish(context, absl::UnavailableError("the server is starting"));
  }
  absl::StatusOr<InferCall> call = TranslateRequest(*request, model_);
  if (!call.ok()) {
    observer_.OnInvalid();
    return Finish(context, call.status());
  }
  const Duration time_limit = std::min(call->time_limit, LeftOfGrpcDeadline(*context));
  auto* reactor = new InferReactor(*context, model_, scheduler_, request->id(), *std::move(call), *response);
  reactor->Submit(SaturatingAdd(arrival, time_limit));
  return reactor;
}

}  // namespace anybit
