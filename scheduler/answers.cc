#include "scheduler/answers.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::scheduler {
namespace {

OutcomeKind KindOfRefusal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kCancelled: return OutcomeKind::kCancelled;
    case absl::StatusCode::kDeadlineExceeded: return OutcomeKind::kExpired;
    case absl::StatusCode::kResourceExhausted: return OutcomeKind::kShed;
    case absl::StatusCode::kUnavailable: return OutcomeKind::kUnavailable;
    default: return OutcomeKind::kFailed;
  }
}

Outcome OutcomeOf(const RunningRequest& member, MonoTime ended, const RunningBatch& batch, const BatchResult& result,
                  double accuracy) {
  if (member.cancelled) {
    return {.kind = OutcomeKind::kCancelled, .status = absl::CancelledError("cancelled while running")};
  }
  const bool ok = result.status.ok();
  return {.kind = ok ? OutcomeKind::kServed : OutcomeKind::kFailed,
          .status = result.status,
          .point = batch.point,
          .expected_accuracy = ok ? accuracy : 0,
          .batch_rows = batch.rows,
          .queue_time = result.started - member.request.arrival,
          .compute_time = result.finished - result.started,
          .ended = ended,
          .deadline_met = ok && member.in_time};
}

}  // namespace

void Answers::Refuse(MonoTime now, WaitingRequest waiting, Refusal refusal) {
  const OutcomeKind kind = KindOfRefusal(refusal.status);
  CountAttained(waiting.request, kind, /*in_time=*/false);
  End(now, waiting.request, refusal.reason,
      Outcome{.kind = kind,
              .status = std::move(refusal.status),
              .ended = now,
              .retry_after = refusal.retry_after,
              .payload = std::move(waiting.payload)},
      std::move(waiting.done));
}

void Answers::RefuseLate(MonoTime now, WaitingRequest waiting, Duration retry_after) {
  const PendingRequest& request = waiting.request;
  const auto waited = ToMicros(now - request.arrival);
  if (now >= request.answer_by) {
    Refuse(
        now, std::move(waiting),
        {.status = absl::DeadlineExceededError(absl::StrCat("the deadline passed after ", waited, " us of waiting"))});
    return;
  }
  absl::Status status = absl::ResourceExhaustedError(
      absl::StrCat("no operating point can meet the deadline any more: ", ToMicros(Until(now, request.answer_by)),
                   " us are left after ", waited, " us of waiting"));
  Refuse(now, std::move(waiting),
         {.status = std::move(status), .reason = ShedReason::kLate, .retry_after = retry_after});
}

bool Answers::CountBatch(MonoTime now, bool ok, RunningBatch& batch) {
  bool all_in_time = true;
  for (RunningRequest& member : batch.members) {
    member.in_time = now <= member.request.answer_by;
    all_in_time &= member.in_time;
    const OutcomeKind ran = ok ? OutcomeKind::kServed : OutcomeKind::kFailed;
    CountAttained(member.request, member.cancelled ? OutcomeKind::kCancelled : ran, member.in_time);
  }
  return all_in_time;
}

void Answers::AnswerBatch(MonoTime ended, RunningBatch batch, BatchResult result, double accuracy) {
  for (size_t i = 0; i < batch.members.size(); ++i) {
    RunningRequest& member = batch.members[i];
    Outcome outcome = OutcomeOf(member, ended, batch, result, accuracy);
    outcome.payload = std::move(result.batch.members[i]);
    End(ended, member.request, {}, std::move(outcome), std::move(member.done));
  }
}

void Answers::CountAttained(const PendingRequest& request, OutcomeKind kind, bool in_time) {
  const bool counts = kind == OutcomeKind::kServed || kind == OutcomeKind::kShed || kind == OutcomeKind::kExpired;
  if (!counts || request.run_by == kNever) return;
  // Requests of a flood say nothing of tenants within their share.
  const auto tenant = static_cast<size_t>(request.tenant);
  if (tenant < tenants_.tenants().size() && tenants_.tenants()[tenant].weight < 1) return;
  attainment_.Count(/*has_floor=*/request.allowed.size() < all_points_.size(), in_time);
}

void Answers::End(MonoTime now, const PendingRequest& request, ShedReason reason, Outcome outcome,
                  absl::AnyInvocable<void(Outcome)> done) {
  observers_.OnEnded({.id = request.id,
                      .at = now,
                      .kind = outcome.kind,
                      .shed_reason = reason,
                      .sla_class = request.sla_class,
                      .tenant = request.tenant,
                      .point = outcome.point,
                      .expected_accuracy = outcome.expected_accuracy,
                      .rows = request.rows,
                      .queue_time = outcome.queue_time,
                      .compute_time = outcome.compute_time,
                      .total_time = now - request.arrival,
                      .has_deadline = request.run_by != kNever,
                      .deadline_met = outcome.deadline_met,
                      .status = &outcome.status,
                      .payload = outcome.payload.get()});
  std::move(done)(std::move(outcome));
}

}  // namespace anybit::scheduler
