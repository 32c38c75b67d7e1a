#include "server/inference.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "absl/status/statusor.h"
#include "server/inference_payload.h"
#include "server/translate_request.h"

namespace anybit::server {

absl::Status Inference::Hold(int64_t bytes) {
  if (share_.Resize(bytes)) return absl::OkStatus();
  parts_.observer.OnShed();
  return LimitReached(parts_.memory, bytes);
}

void Inference::Begin(const inference::ModelInferRequest& request, Done done) {
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

absl::Status Inference::Prepare(const inference::ModelInferRequest& request, scheduler::SubmitRequest& submit) {
  const MonoTime arrival = parts_.loop.Now();
  absl::StatusOr<InferCall> call = TranslateRequest(request, parts_.model);
  if (!call.ok()) {
    parts_.observer.OnInvalid();
    return call.status();
  }
  const RequestTerms& terms = call->terms;
  const int rows = call->input.rows;
  form_ = {.request_id = request.id(), .rows = rows, .top_classes = call->top_classes};
  auto payload = std::make_unique<InferencePayload>();
  payload->input = std::move(call->input.bytes);
  payload->output.reserve(rows * parts_.model.network.output.elements);
  // The outputs are held twice while the response is made of them.
  absl::Status held = Hold(
      share_.bytes() + static_cast<int64_t>(payload->input.size() + 2 * payload->output.capacity() * sizeof(float)));
  if (!held.ok()) return held;
  submit.deadline = SaturatingAdd(arrival, terms.time_limit);
  submit.allowed = terms.allowed;
  submit.sla_class = terms.sla_class;
  submit.tenant = terms.tenant;
  submit.rows = rows;
  submit.payload = std::move(payload);
  return absl::OkStatus();
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
