#include "metrics/triton_metrics.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace anybit::metrics {
namespace {

constexpr std::array kReasonNames = {"REJECTED", "CANCELED", "BACKEND", "OTHER"};

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

std::string Head(absl::string_view name, absl::string_view type, absl::string_view help) {
  return absl::StrCat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

}  // namespace

TritonMetrics::TritonMetrics(absl::string_view model, int64_t version)
    : labels_(absl::StrCat("model=\"", Escaped(model), "\",version=\"", version, "\"")) {}

std::string TritonMetrics::Text() const {
  const absl::MutexLock lock(&mutex_);
  std::string text;
  const auto add = [&](absl::string_view name, absl::string_view type, absl::string_view help, int64_t value) {
    absl::StrAppend(&text, Head(name, type, help), name, "{", labels_, "} ", value, "\n");
  };
  add("nv_inference_request_success", "counter", "Requests that were answered.", successes_);
  absl::StrAppend(&text, Head("nv_inference_request_failure", "counter", "Requests that were not, by reason."));
  for (int reason = 0; reason < kReasons; ++reason) {
    absl::StrAppend(&text, "nv_inference_request_failure{", labels_, ",reason=\"", kReasonNames[reason], "\"} ",
                    failures_[reason], "\n");
  }
  add("nv_inference_count", "counter", "Rows that were computed.", rows_);
  add("nv_inference_exec_count", "counter", "Batches that were computed.", batches_);
  add("nv_inference_request_duration_us", "counter", "Arrival to answer, of answered requests.", ToMicros(total_));
  add("nv_inference_queue_duration_us", "counter", "Time in the queue, of answered requests.", ToMicros(queued_));
  add("nv_inference_compute_input_duration_us", "counter", "Not measured apart: gathering belongs to the queue.", 0);
  add("nv_inference_compute_infer_duration_us", "counter", "Time in the batch, of answered requests.",
      ToMicros(computed_));
  add("nv_inference_compute_output_duration_us", "counter", "Not measured apart.", 0);
  add("nv_inference_pending_request_count", "gauge", "Requests that wait.", pending_);
  return text;
}

void TritonMetrics::OnBatchFinished(const scheduler::BatchFinishedEvent& event) {
  if (!event.ok) return;
  const absl::MutexLock lock(&mutex_);
  ++batches_;
  rows_ += event.rows;
}

void TritonMetrics::OnEnded(const scheduler::EndedEvent& event) {
  const absl::MutexLock lock(&mutex_);
  switch (event.kind) {
    case scheduler::OutcomeKind::kServed:
      ++successes_;
      total_ += event.total_time;
      queued_ += event.queue_time;
      computed_ += event.compute_time;
      return;
    case scheduler::OutcomeKind::kShed:
    case scheduler::OutcomeKind::kExpired: ++failures_[kRejected]; return;
    case scheduler::OutcomeKind::kCancelled: ++failures_[kCanceled]; return;
    case scheduler::OutcomeKind::kFailed: ++failures_[kBackend]; return;
    default: ++failures_[kOther];
  }
}

void TritonMetrics::OnQueue(const scheduler::QueueEvent& event) {
  const absl::MutexLock lock(&mutex_);
  pending_ = event.waiting_requests;
}

}  // namespace anybit::metrics
