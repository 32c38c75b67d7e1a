#include "server/model_infer_calls.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/inference.grpc.pb.h"
#include "server/front/refusal.h"
#include "server/grpc_status.h"
#include "server/parameters.h"
#include "server/parse_message.h"
#include "server/peek_request.h"
#include "server/refuse_early.h"
#include "server/response_bytes.h"
#include "server/security/caller.h"
#include "server/submission.h"
#include "server/trace_parent.h"
#include "server/translate_request.h"

namespace anybit::server {
namespace {

// The scheduler hears of so many answers and refusals each: some are enough to know.
constexpr uint32_t kDeliverySampling = 8;

// The status of an early refusal. Many in a row are equal, and making a status takes as long as checking the call.
const grpc::Status& TooLate(std::chrono::milliseconds retry_after) {
  thread_local std::chrono::milliseconds made_for(-1);
  thread_local grpc::Status status;
  if (made_for != retry_after) {
    status = ToGrpcStatus(TooLateStatus(retry_after), retry_after);
    made_for = retry_after;
  }
  return status;
}

// The status of a call that came too late. Under overload there are many.
const grpc::Status& DeadlinePassed() {
  static const grpc::Status* const status = new grpc::Status(
      ToGrpcStatus(absl::DeadlineExceededError("the deadline had passed when the server saw the call")));
  return *status;
}

// The answer to a call that has waited too long for the edge.
const std::string& TooMany() {
  static const std::string* const block = [] {
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(kDefaultRetryAfter);
    const absl::Status status = absl::ResourceExhaustedError("more calls come than the server can receive");
    return new std::string(RefusalBlock(ToGrpcStatus(status, wait), wait));
  }();
  return *block;
}

}  // namespace

// One call. Answer runs on the loop of its version's scheduler, everything else on the thread of the call's queue. The
// call outlives its answer, because OnEnded comes after it.
class ModelInferCalls::Call final : public CallHandler {
 public:
  Call(ModelInferCalls& calls, IncomingCall& call)
      : calls_(calls), parts_(calls.parts_), incoming_(call), share_(parts_.memory) {}

  void OnTaken() override {
    calls_.open_.Begin();
    try {
      Take();
    } catch (const std::bad_alloc&) {
      RefuseForMemory(absl::ResourceExhaustedError("the server has no memory left for this call"));
    }
  }

  void OnRead() override {
    try {
      Begin(parts_.loop.Now());
    } catch (const std::bad_alloc&) {
      if (id_.has_value()) return;  // the scheduler answers
      RefuseForMemory(absl::ResourceExhaustedError(
          absl::StrCat("the server has no memory left for this request of ", share_.bytes(), " bytes")));
    }
  }

  void OnReadFailed() override { parts_.observer.OnRefusedCall(RefusedCallReason::kIncompleteMessage); }

  // At the end of the deadline the scheduler needs no help: it expires a waiting request and counts a running one as
  // missed. A cancelled request counts as neither.
  void OnCancelled() override {
    if (grpc_deadline_.HasEnded(parts_.wall_now())) return;
    is_cancelled_ = true;
    if (id_.has_value()) Cancel();
  }

  void OnEnded() override {
    try {
      Report();
    } catch (const std::bad_alloc&) {
      // The scheduler hears of some ends only.
    }
    (void)share_.Resize(0);
    calls_.open_.End();
  }

 private:
  // Refuses the call, or reads its message.
  void Take() {
    if (parts_.state == ServingState::kStarting) {
      parts_.observer.OnUnavailable();
      incoming_.Finish(ToGrpcStatus(absl::UnavailableError("the server is starting")));
      return;
    }
    const WallTime wall_now = parts_.wall_now();
    grpc_deadline_ = GrpcDeadline(incoming_.context().deadline(), wall_now);
    // The message's parameters can only shorten this.
    if (const Duration left = grpc_deadline_.Left(wall_now); left < Duration::max()) {
      time_at_arrival_ = left;
      calls_.SeeDeadline(left);
      if (left <= Duration::zero()) {
        incoming_.Finish(DeadlinePassed());
        return;
      }
      if (const auto refusal = parts_.versions.RefuseEarly(SaturatingAdd(parts_.loop.Now(), left))) {
        parts_.observer.OnShed(refusal->reason);
        ShedEarly(refusal->retry_after);
        return;
      }
    }
    // The message's size is known once it is read.
    if (Hold(LargestRawRequestBytes(parts_.contract))) incoming_.Read(&message_);
  }

  void Cancel() {
    try {
      version_->scheduler().Cancel(*id_);
    } catch (const std::bad_alloc&) {
      // Then it is served.
    }
  }

  // Tells the scheduler how long the answer or the refusal was under way.
  void Report() {
    if (ended_ && static_cast<uint64_t>(*id_) % kDeliverySampling == 0) ReportDelivery();
    if (refused_ && calls_.refusals_.fetch_add(1, std::memory_order_relaxed) % kDeliverySampling == 0) {
      // A client whose deadline ended before its refusal came waited all that time, most of it unseen in the socket.
      const bool gave_up = !id_ && incoming_.context().IsCancelled() && grpc_deadline_.HasEnded(parts_.wall_now());
      const SharedVersion version = version_ != nullptr ? version_ : parts_.versions.labels().stable;
      if (version == nullptr) return;
      version->scheduler().RefusalSent(*refused_, gave_up ? time_at_arrival_ : Duration::zero());
    }
  }

  // An answer whose client gave up at its deadline was under way for longer than the time that was left when its batch
  // ended. A call that was cancelled earlier tells nothing.
  void ReportDelivery() {
    if (!incoming_.context().IsCancelled()) {
      version_->scheduler().Delivered(*ended_);
    } else if (grpc_deadline_.HasEnded(parts_.wall_now())) {
      version_->scheduler().Delivered(*ended_, deadline_ - *ended_);
    }
  }

  // Once for each request: those without an id get their versions in turn.
  absl::StatusOr<SharedVersion> Choose(const inference::ModelInferRequest& request) {
    if (version_ != nullptr) return version_;
    return parts_.versions.Choose(request.model_name(), request.model_version(), request.id());
  }

  // Refuses the message by its parameters, if they suffice for it. Where nothing is refused nothing is looked at.
  bool RefuseByHead(MonoTime arrival) {
    if (!parts_.versions.RefusesSomeEarly()) return false;
    std::optional<inference::ModelInferRequest> head = PeekRequest(message_);
    if (!head.has_value() || !BindTenant(incoming_.caller(), *head).ok()) return false;
    absl::StatusOr<SharedVersion> version = Choose(*head);
    if (!version.ok()) return false;
    version_ = *std::move(version);
    const Duration left = grpc_deadline_.Left(parts_.wall_now());
    const std::optional<Duration> retry_after =
        RefuseEarly(version_->scheduler(), version_->model(), *head, arrival, left);
    if (!retry_after.has_value()) return false;
    ShedEarly(*retry_after);
    return true;
  }

  // Submits the request of the message that was read, or ends the call.
  void Begin(MonoTime arrival) {
    if (!Hold(static_cast<int64_t>(message_.Length()))) return;
    if (RefuseByHead(arrival)) return;
    inference::ModelInferRequest request;
    const absl::Status parsed = ParseMessage(message_, request);
    message_.Clear();
    if (!parsed.ok()) {
      parts_.observer.OnInvalid(parsed);
      parts_.observer.OnRefusedCall(RefusedCallReason::kMalformedMessage);
      incoming_.Finish(ToGrpcStatus(parsed));
      return;
    }
    const absl::Status bound = BindTenant(incoming_.caller(), request);
    absl::StatusOr<SharedVersion> version = bound.ok() ? Choose(request) : absl::StatusOr<SharedVersion>(bound);
    absl::StatusOr<InferCall> call =
        version.ok() ? TranslateRequest(request, (*version)->model()) : absl::StatusOr<InferCall>(version.status());
    if (!call.ok()) {
      parts_.observer.OnInvalid(call.status());
      incoming_.Finish(ToGrpcStatus(call.status()));
      return;
    }
    version_ = *std::move(version);
    scheduler::Scheduler& scheduler = version_->scheduler();
    const RequestTerms& terms = call->terms;
    const int rows = call->input.rows;
    form_ = {.request_id = request.id(), .rows = rows, .top_classes = call->top_classes};
    deadline_ = SaturatingAdd(arrival, std::min(terms.time_limit, grpc_deadline_.Left(parts_.wall_now())));
    const absl::string_view trace_parent = TraceParent();
    scheduler::SubmitRequest submission =
        MakeSubmission(*std::move(call), deadline_, version_->model(), {request.id(), trace_parent});
    if (!Hold(PayloadBytes(submission))) return;
    if (!parts_.journal.is_idle()) note_ = parts_.journal.Begin(request.id(), trace_parent, arrival);
    if (IsTraceParent(trace_parent)) {
      incoming_.context().AddTrailingMetadata(kTraceParentHeader, std::string(trace_parent));
    }
    id_ = scheduler.Submit(std::move(submission), [this](scheduler::Outcome outcome) { Answer(std::move(outcome)); });
    if (is_cancelled_) Cancel();
  }

  absl::string_view TraceParent() const {
    const auto& metadata = incoming_.context().client_metadata();
    const auto found = metadata.find(kTraceParentHeader);
    return found == metadata.end() ? "" : absl::string_view(found->second.data(), found->second.size());
  }

  // The loop thread of the version's scheduler.
  void Answer(scheduler::Outcome outcome) {
    try {
      if (note_ != nullptr) parts_.journal.End(*note_, version_->model(), outcome);
      if (outcome.kind == scheduler::OutcomeKind::kServed) {
        ended_ = outcome.ended;
        Respond(outcome);
      } else if (outcome.kind == scheduler::OutcomeKind::kShed) {
        refused_ = outcome.ended;
        Shed(outcome.status, outcome.retry_after > Duration::zero() ? outcome.retry_after : kDefaultRetryAfter);
      } else {
        incoming_.Finish(ToGrpcStatus(outcome.status));
      }
    } catch (const std::bad_alloc&) {
      incoming_.FinishForMemory();
    }
  }

  void Respond(const scheduler::Outcome& outcome) {
    try {
      const grpc::Slice bytes(ResponseBytes(outcome, form_, version_->model()));
      response_ = grpc::ByteBuffer(&bytes, 1);
      incoming_.WriteAndFinish(response_, grpc::Status::OK);
    } catch (const std::bad_alloc&) {
      incoming_.Finish(ToGrpcStatus(absl::ResourceExhaustedError("the server has no memory left for the response")));
    }
  }

  // Holds `bytes` and what a call takes besides; false, and the call ends, if there is no room for them.
  bool Hold(int64_t bytes) {
    if (share_.Resize(bytes + kCallOverhead)) return true;
    RefuseForMemory(LimitReached(parts_.memory, bytes + kCallOverhead));
    return false;
  }

  void RefuseForMemory(const absl::Status& status) {
    parts_.observer.OnShed(scheduler::ShedReason::kMemory);
    Shed(status, kDefaultRetryAfter);
  }

  void Shed(const absl::Status& status, Duration retry_after) {
    incoming_.Finish(ToGrpcStatus(status, AddPushback(retry_after)));
  }
  void ShedEarly(Duration retry_after) {
    refused_ = parts_.loop.Now();
    incoming_.Finish(TooLate(AddPushback(retry_after)));
  }

  // The retry delay is sent twice: gRPC's own retries read the trailer, applications the status' detail.
  std::chrono::milliseconds AddPushback(Duration retry_after) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(retry_after);
    incoming_.context().AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(wait.count()));
    return wait;
  }

  ModelInferCalls& calls_;
  const ModelInferParts& parts_;
  IncomingCall& incoming_;
  GrpcDeadline grpc_deadline_;
  Duration time_at_arrival_{};  // to the gRPC deadline; 0: there is none
  RequestMemory::Share share_;
  grpc::ByteBuffer message_;
  ResponseForm form_;
  SharedVersion version_;              // once its request is valid
  std::unique_ptr<RequestNote> note_;  // null: nothing is written of it
  MonoTime deadline_{};
  std::optional<scheduler::RequestId> id_;  // once submitted; not for Answer, which may run before it is set
  bool is_cancelled_ = false;               // before its deadline
  grpc::ByteBuffer response_;
  std::optional<MonoTime> ended_;    // its batch, if it was served
  std::optional<MonoTime> refused_;  // when, if it was shed for the queue
};

void ModelInferCalls::SeeDeadline(Duration left) {
  if (left <= Duration::zero()) {
    parts_.observer.OnExpired();
    // A single client may send such calls. Only where all calls are too late is it the edge that is behind.
    if (expired_in_row_.fetch_add(1, std::memory_order_relaxed) % kDeliverySampling == kDeliverySampling - 1) {
      for (const SharedVersion& version : parts_.versions.labels().all()) version->scheduler().CallExpiredUnseen();
    }
    return;
  }
  // Nearly always 0: then nothing is written that other threads read.
  if (expired_in_row_.load(std::memory_order_relaxed) != 0 &&
      expired_in_row_.exchange(0, std::memory_order_relaxed) >= kDeliverySampling) {
    for (const SharedVersion& version : parts_.versions.labels().all()) version->scheduler().CallSeenInTime();
  }
}

const std::string* ModelInferCalls::RefuseUnread(Duration left, bool must) {
  if (parts_.state == ServingState::kStarting) return nullptr;
  if (left <= Duration::zero()) {
    parts_.observer.OnExpired();
    static const std::string* const block = new std::string(RefusalBlock(DeadlinePassed(), std::nullopt));
    return block;
  }
  if (const auto refusal = parts_.versions.RefuseEarly(SaturatingAdd(parts_.loop.Now(), left))) {
    parts_.observer.OnShed(refusal->reason);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(refusal->retry_after);
    thread_local std::chrono::milliseconds made_for(-1);
    thread_local std::string block;
    if (made_for != wait) block = RefusalBlock(TooLate(wait), wait);
    made_for = wait;
    return &block;
  }
  if (!must) return nullptr;
  parts_.versions.CallRefused();
  parts_.observer.OnShed(scheduler::ShedReason::kCalls);
  return &TooMany();
}

std::unique_ptr<CallHandler> ModelInferCalls::Handle(IncomingCall& call) { return std::make_unique<Call>(*this, call); }

int64_t ModelInferCalls::LargestCallBytes(const ServedModel& model) {
  const int64_t outputs = model.network.output.elements * model.max_batch * static_cast<int64_t>(sizeof(float));
  return kCallOverhead +
         std::max<int64_t>(LargestRequestBytes(model), model.network.input.elements * model.max_batch + 2 * outputs);
}

}  // namespace anybit::server
