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
  parts_.observer.OnShed();
  return LimitReached(parts_.memory, bytes);
}

std::optional<Duration> Inference::RefuseEarly(const inference::ModelInferRequest& head) {
  return server::RefuseEarly(parts_.scheduler, parts_.model, head, parts_.loop.Now());
}

void Inference::Begin(inference::ModelInferRequest& request, Done done) {
  scheduler::SubmitRequest submit;
  scheduler::Outcome refusal;
  refusal.status = Prepare(request, submit);
  if (!refusal.status.ok()) {
    refusal.kind =
        absl::IsResourceExhausted(refusal.status) ? scheduler::OutcomeKind::kShed : scheduler::OutcomeKind::kFailed;
    return done(std::move(refusal));
  }
  const scheduler::RequestId id = parts_.scheduler.Submit(std::move(submit), std::move(done));
  absl::MutexLock lock(&mutex_);
  id_ = id;
  if (is_cancelled_) CancelAtScheduler(id);
}

absl::Status Inference::Prepare(inference::ModelInferRequest& request, scheduler::SubmitRequest& submit) {
  const MonoTime arrival = parts_.loop.Now();
  absl::StatusOr<InferCall> call = TranslateRequest(request, parts_.model);
  if (!call.ok()) {
    parts_.observer.OnInvalid(call.status());
    return call.status();
  }
  form_ = {.request_id = request.id(), .rows = call->input.rows, .top_classes = call->top_classes};
  const MonoTime deadline = SaturatingAdd(arrival, call->terms.time_limit);
  submit = MakeSubmission(*std::move(call), deadline, parts_.model);
  return Hold(share_.bytes() + PayloadBytes(submit));
}

void Inference::Cancel() {
  absl::MutexLock lock(&mutex_);
  is_cancelled_ = true;
  if (id_.has_value()) CancelAtScheduler(*id_);
}

void Inference::CancelAtScheduler(scheduler::RequestId id) {
  try {
    parts_.scheduler.Cancel(id);
  } catch (const std::bad_alloc&) {
    // Then it is served.
  }
}

inference::ModelInferResponse Inference::Response(const scheduler::Outcome& outcome) const {
  return TranslateOutcome(outcome, form_, parts_.model);
}

}  // namespace anybit::server
