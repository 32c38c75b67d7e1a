#include "server/inference.h"

#include <new>
#include <utility>

#include "absl/status/statusor.h"
#include "server/refuse_early.h"
#include "server/submission.h"
#include "server/translate_request.h"

namespace anybit::server {

absl::Status Inference::Hold(int64_t bytes) {
  if (share_.Resize(bytes)) return absl::OkStatus();
  parts_.observer.OnShed(scheduler::ShedReason::kMemory);
  return LimitReached(parts_.memory, bytes);
}

std::optional<Duration> Inference::RefuseEarly(const inference::ModelInferRequest& head) {
  if (!parts_.versions.RefusesSomeEarly()) return std::nullopt;
  absl::StatusOr<SharedVersion> version = Choose(head);
  if (!version.ok()) return std::nullopt;
  version_ = *std::move(version);
  return server::RefuseEarly(version_->scheduler(), version_->model(), head, parts_.loop.Now());
}

// Once for each request: those without an id get their versions in turn.
absl::StatusOr<SharedVersion> Inference::Choose(const inference::ModelInferRequest& request) {
  if (version_ != nullptr) return version_;
  return parts_.versions.Choose(request.model_name(), request.model_version(), request.id());
}

void Inference::Begin(inference::ModelInferRequest& request, absl::string_view trace_parent, Done done) {
  scheduler::SubmitRequest submit;
  scheduler::Outcome refusal;
  refusal.status = Prepare(request, trace_parent, submit);
  if (!refusal.status.ok()) {
    refusal.kind =
        absl::IsResourceExhausted(refusal.status) ? scheduler::OutcomeKind::kShed : scheduler::OutcomeKind::kFailed;
    return done(std::move(refusal));
  }
  if (!parts_.journal.is_idle()) note_ = parts_.journal.Begin(request.id(), trace_parent, parts_.loop.Now());
  if (note_ != nullptr) {
    done = [this, done = std::move(done)](scheduler::Outcome outcome) mutable {
      parts_.journal.End(*note_, version_->model(), outcome);
      done(std::move(outcome));
    };
  }
  const scheduler::RequestId id = version_->scheduler().Submit(std::move(submit), std::move(done));
  absl::MutexLock lock(&mutex_);
  id_ = id;
  if (is_cancelled_) CancelAtScheduler(id);
}

absl::Status Inference::Prepare(inference::ModelInferRequest& request, absl::string_view trace_parent,
                                scheduler::SubmitRequest& submit) {
  const MonoTime arrival = parts_.loop.Now();
  absl::StatusOr<SharedVersion> version = Choose(request);
  absl::StatusOr<InferCall> call =
      version.ok() ? TranslateRequest(request, (*version)->model()) : absl::StatusOr<InferCall>(version.status());
  if (!call.ok()) {
    parts_.observer.OnInvalid(call.status());
    return call.status();
  }
  version_ = *std::move(version);
  form_ = {.request_id = request.id(), .rows = call->input.rows, .top_classes = call->top_classes};
  const MonoTime deadline = SaturatingAdd(arrival, call->terms.time_limit);
  submit = MakeSubmission(*std::move(call), deadline, version_->model(), {request.id(), trace_parent});
  return Hold(share_.bytes() + PayloadBytes(submit));
}

void Inference::Cancel() {
  absl::MutexLock lock(&mutex_);
  is_cancelled_ = true;
  if (id_.has_value()) CancelAtScheduler(*id_);
}

void Inference::CancelAtScheduler(scheduler::RequestId id) {
  try {
    version_->scheduler().Cancel(id);
  } catch (const std::bad_alloc&) {
    // Then it is served.
  }
}

inference::ModelInferResponse Inference::Response(const scheduler::Outcome& outcome) const {
  return TranslateOutcome(outcome, form_, version_->model());
}

}  // namespace anybit::server
