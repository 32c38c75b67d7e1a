#include "metrics/triton_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <chrono>

#include "base/time.h"

namespace anybit::metrics {
namespace {

constexpr std::array kReasonNames = {"REJECTED", "CANCELED", "BACKEND", "OTHER"};

double Micros(Duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

}  // namespace

TritonMetrics::TritonMetrics(MetricsPage& page, const std::string& model, int64_t version)
    : series_(page, {{"model", model}, {"version", std::to_string(version)}}) {
  successes_ = series_.Counter("nv_inference_request_success", "Requests that were answered.");
  for (int reason = 0; reason < kReasons; ++reason) {
    failures_[reason] = series_.Counter("nv_inference_request_failure", "Requests that were not, by reason.",
                                        {{"reason", kReasonNames[reason]}});
  }
  rows_ = series_.Counter("nv_inference_count", "Rows that were computed.");
  batches_ = series_.Counter("nv_inference_exec_count", "Batches that were computed.");
  total_us_ = series_.Counter("nv_inference_request_duration_us", "Arrival to answer, of answered requests.");
  queued_us_ = series_.Counter("nv_inference_queue_duration_us", "Time in the queue, of answered requests.");
  (void)series_.Counter("nv_inference_compute_input_duration_us",
                        "Not measured apart: gathering belongs to the queue.");
  computed_us_ = series_.Counter("nv_inference_compute_infer_duration_us", "Time in the batch, of answered requests.");
  (void)series_.Counter("nv_inference_compute_output_duration_us", "Not measured apart.");
  pending_ = series_.Gauge("nv_inference_pending_request_count", "Requests that wait.");
}

void TritonMetrics::OnBatchFinished(const scheduler::BatchFinishedEvent& event) {
  if (!event.ok) return;
  batches_->Increment();
  rows_->Increment(event.rows);
}

void TritonMetrics::OnEnded(const scheduler::EndedEvent& event) {
  switch (event.kind) {
    case scheduler::OutcomeKind::kServed:
      successes_->Increment();
      total_us_->Increment(Micros(event.total_time));
      queued_us_->Increment(Micros(event.queue_time));
      computed_us_->Increment(Micros(event.compute_time));
      return;
    case scheduler::OutcomeKind::kShed:
    case scheduler::OutcomeKind::kExpired: failures_[kRejected]->Increment(); return;
    case scheduler::OutcomeKind::kCancelled: failures_[kCanceled]->Increment(); return;
    case scheduler::OutcomeKind::kFailed: failures_[kBackend]->Increment(); return;
    default: failures_[kOther]->Increment();
  }
}

void TritonMetrics::OnQueue(const scheduler::QueueEvent& event) { pending_->Set(event.waiting_requests); }

}  // namespace anybit::metrics
