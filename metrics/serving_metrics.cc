#include "metrics/serving_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace anybit::metrics {
namespace {

using Boundaries = prometheus::Histogram::BucketBoundaries;

Boundaries SortedUnique(Boundaries values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

// 0.5 ms to 5 s in steps of at most 2.5, and every objective exactly: the share of requests inside an objective is then
// a ratio of buckets, not an interpolation.
Boundaries DurationBoundaries(const std::vector<ServingMetricsLabels::SlaClass>& sla_classes) {
  Boundaries values = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5};
  for (const auto& sla_class : sla_classes) {
    if (sla_class.objective > Duration::zero()) values.push_back(ToSeconds(sla_class.objective));
  }
  return SortedUnique(std::move(values));
}

Boundaries RowBoundaries(int max_batch) {
  Boundaries values;
  for (int rows = 1; rows < max_batch; rows *= 2) values.push_back(rows);
  values.push_back(max_batch);
  return values;
}

// One bucket for each accuracy that can occur, so the histogram is the exact distribution.
Boundaries AccuracyBoundaries(const scheduler::PointTable& points) {
  Boundaries values;
  for (const scheduler::PointInfo& point : points) values.push_back(point.accuracy);
  return SortedUnique(std::move(values));
}

Boundaries DeficitBoundaries(const scheduler::PointTable& points, double best) {
  Boundaries values;
  for (const scheduler::PointInfo& point : points) values.push_back(best - point.accuracy);
  return SortedUnique(std::move(values));
}

prometheus::Gauge* AddGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return &prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram* AddHistogram(prometheus::Registry& registry, const char* name, const char* help,
                                    const Boundaries& boundaries) {
  return &prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, boundaries);
}

}  // namespace

ServingMetrics::ServingMetrics(const ServingMetricsLabels& labels)
    : registry_(std::make_unique<prometheus::Registry>()) {
  prometheus::Registry& registry = *registry_;
  for (const scheduler::PointInfo& point : labels.points) best_accuracy_ = std::max(best_accuracy_, point.accuracy);

  auto& requests = prometheus::BuildCounter()
                       .Name("anybit_requests_total")
                       .Help("Requests that ended, by how they ended.")
                       .Register(registry);
  for (int kind = 0; kind < scheduler::kOutcomeKinds; ++kind) {
    requests_[kind] = &requests.Add({{"outcome", scheduler::OutcomeName(static_cast<scheduler::OutcomeKind>(kind))}});
  }
  invalid_requests_ = &requests.Add({{"outcome", "invalid"}});

  auto& refused_calls = prometheus::BuildCounter()
                            .Name("anybit_refused_calls_total")
                            .Help(
                                "Calls that ended before they were a request, by why: a method that is not offered, "
                                "a message that cannot be parsed, one that did not arrive as a whole or was too "
                                "large.")
                            .Register(registry);
  for (const std::string& reason : labels.refused_call_reasons) {
    refused_calls_.push_back(&refused_calls.Add({{"reason", reason}}));
  }

  auto& slo_requests = prometheus::BuildCounter()
                           .Name("anybit_slo_requests_total")
                           .Help(
                               "Requests with a deadline, by whether they were answered in time. Refused, expired and "
                               "failed ones were not; cancelled ones are left out.")
                           .Register(registry);
  for (const auto& sla_class : labels.sla_classes) {
    sla_classes_.push_back({.met = &slo_requests.Add({{"sla_class", sla_class.name}, {"met", "true"}}),
                            .missed = &slo_requests.Add({{"sla_class", sla_class.name}, {"met", "false"}})});
  }

  auto& tenant_requests = prometheus::BuildCounter()
                              .Name("anybit_tenant_requests_total")
                              .Help(
                                  "Requests of a tenant, by whether they were answered, and in time if they had a "
                                  "deadline; cancelled ones are left out.")
                              .Register(registry);
  auto& tenant_accuracy = prometheus::BuildHistogram()
                              .Name("anybit_tenant_served_accuracy_ratio")
                              .Help("Expected accuracy of a tenant's served requests, as a fraction.")
                              .Register(registry);
  for (const std::string& tenant : labels.tenants) {
    tenants_.push_back(
        {.met = &tenant_requests.Add({{"tenant", tenant}, {"met", "true"}}),
         .missed = &tenant_requests.Add({{"tenant", tenant}, {"met", "false"}}),
         .served_accuracy = &tenant_accuracy.Add({{"tenant", tenant}}, AccuracyBoundaries(labels.points))});
  }

  auto& batches = prometheus::BuildCounter()
                      .Name("anybit_batches_total")
                      .Help("Batches dispatched, by operating point.")
                      .Register(registry);
  auto& rows = prometheus::BuildCounter()
                   .Name("anybit_rows_total")
                   .Help("Rows dispatched, by operating point.")
                   .Register(registry);
  auto& accuracies = prometheus::BuildGauge()
                         .Name("anybit_operating_point_accuracy_ratio")
                         .Help("Measured top-1 accuracy of an operating point, as a fraction.")
                         .Register(registry);
  for (const scheduler::PointInfo& point : labels.points) {
    points_.push_back({.batches = &batches.Add({{"operating_point", point.name}}),
                       .rows = &rows.Add({{"operating_point", point.name}})});
    accuracies.Add({{"operating_point", point.name}}).Set(point.accuracy);
  }

  auto& slot_busy = prometheus::BuildCounter()
                        .Name("anybit_slot_busy_seconds_total")
                        .Help("Time in which a slot computed; each batch counts once. Its rate is the utilization.")
                        .Register(registry);
  for (int slot = 0; slot < labels.slots; ++slot) {
    slot_busy_.push_back(&slot_busy.Add({{"slot", std::to_string(slot)}}));
  }

  const Boundaries durations = DurationBoundaries(labels.sla_classes);
  queue_duration_ = AddHistogram(registry, "anybit_queue_duration_seconds",
                                 "From arrival to the start of the batch, of requests that ran.", durations);
  compute_duration_ = AddHistogram(registry, "anybit_compute_duration_seconds",
                                   "From start to finish of the batch, of requests that ran: each request of a "
                                   "batch adds the whole of it. anybit_slot_busy_seconds_total counts each batch once.",
                                   durations);
  request_duration_ = AddHistogram(registry, "anybit_request_duration_seconds",
                                   "From arrival to answer, of requests that were served.", durations);
  batch_rows_ =
      AddHistogram(registry, "anybit_batch_rows", "Rows of a batch, at dispatch.", RowBoundaries(labels.max_batch));
  prediction_ratio_ = AddHistogram(registry, "anybit_batch_latency_prediction_ratio",
                                   "Measured over predicted latency of a batch; 1 is a perfect prediction.",
                                   {0.25, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10});
  delivery_duration_ = AddHistogram(registry, "anybit_delivery_duration_seconds",
                                    "From the end of a batch until an answer was sent, of one answer in eight.",
                                    {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1});
  served_accuracy_ =
      AddHistogram(registry, "anybit_served_accuracy_ratio", "Expected accuracy of served requests, as a fraction.",
                   AccuracyBoundaries(labels.points));
  accuracy_deficit_ = AddHistogram(registry, "anybit_accuracy_deficit_ratio",
                                   "Accuracy of the best operating point minus the one served, as a fraction.",
                                   DeficitBoundaries(labels.points, best_accuracy_));
  queue_requests_ = AddGauge(registry, "anybit_queue_requests", "Requests that wait.");
  queue_rows_ = AddGauge(registry, "anybit_queue_rows", "Rows that wait.");
  running_batches_ = AddGauge(registry, "anybit_running_batches", "Batches that run.");
  request_bytes_ = AddGauge(registry, "anybit_request_memory_bytes",
                            "Memory that requests hold, from the reading of a call to the sending of its answer.");
  request_limit_bytes_ = AddGauge(registry, "anybit_request_memory_limit_bytes",
                                  "What requests may hold (--max_queue_bytes); beyond it calls are refused.");
  replaced_decisions_ = &prometheus::BuildCounter()
                             .Name("anybit_decisions_replaced_total")
                             .Help("Decisions of the policy that failed their check; the fallback's were applied.")
                             .Register(registry)
                             .Add({});

  prometheus::Labels model = {{"model", labels.model}, {"version", std::to_string(labels.version)}};
  if (!labels.isa.empty()) model.emplace("isa", labels.isa);
  prometheus::BuildGauge()
      .Name("anybit_model_info")
      .Help("The model that is served, and the instruction set of its kernels; always 1.")
      .Register(registry)
      .Add(model)
      .Set(1);
}

ServingMetrics::~ServingMetrics() = default;

std::string ServingMetrics::Text() const {
  const prometheus::TextSerializer serializer;
  return serializer.Serialize(registry_->Collect());
}

void ServingMetrics::OnDispatched(const scheduler::DispatchedEvent& event) {
  const Point& point = points_[ToIndex(event.point)];
  point.batches->Increment();
  point.rows->Increment(event.rows);
  batch_rows_->Observe(event.rows);
}

void ServingMetrics::SetRequestBytes(int64_t held, int64_t limit) {
  request_bytes_->Set(static_cast<double>(held));
  request_limit_bytes_->Set(static_cast<double>(limit));
}

void ServingMetrics::OnBatchFinished(const scheduler::BatchFinishedEvent& event) {
  slot_busy_[static_cast<size_t>(event.slot)]->Increment(ToSeconds(event.computed));
  if (!event.ok || event.predicted <= Duration::zero()) return;
  prediction_ratio_->Observe(ToSeconds(event.actual) / ToSeconds(event.predicted));
}

void ServingMetrics::OnDelivered(const scheduler::DeliveredEvent& event) {
  delivery_duration_->Observe(ToSeconds(event.took));
}

void ServingMetrics::OnEnded(const scheduler::EndedEvent& event) {
  requests_[static_cast<int>(event.kind)]->Increment();
  const Tenant& tenant = tenants_[static_cast<size_t>(event.tenant)];
  if (event.kind != scheduler::OutcomeKind::kCancelled) {
    const bool met = event.kind == scheduler::OutcomeKind::kServed && (event.deadline_met || !event.has_deadline);
    (met ? tenant.met : tenant.missed)->Increment();
    if (event.has_deadline) {
      const SlaClass& sla_class = sla_classes_[static_cast<size_t>(event.sla_class)];
      (met ? sla_class.met : sla_class.missed)->Increment();
    }
  }
  if (event.kind == scheduler::OutcomeKind::kServed || event.kind == scheduler::OutcomeKind::kFailed) {
    queue_duration_->Observe(ToSeconds(event.queue_time));
    compute_duration_->Observe(ToSeconds(event.compute_time));
  }
  if (event.kind == scheduler::OutcomeKind::kServed) {
    request_duration_->Observe(ToSeconds(event.total_time));
    served_accuracy_->Observe(event.expected_accuracy);
    tenant.served_accuracy->Observe(event.expected_accuracy);
    accuracy_deficit_->Observe(best_accuracy_ - event.expected_accuracy);
  }
}

void ServingMetrics::OnQueue(const scheduler::QueueEvent& event) {
  queue_requests_->Set(event.waiting_requests);
  queue_rows_->Set(event.waiting_rows);
  running_batches_->Set(event.running_batches);
}

void ServingMetrics::OnDecisionReplaced(const scheduler::DecisionReplacedEvent& event) {
  replaced_decisions_->Increment();
}

void ServingMetrics::CountInvalidRequest() { invalid_requests_->Increment(); }

void ServingMetrics::CountRequest(scheduler::OutcomeKind kind) { requests_[static_cast<size_t>(kind)]->Increment(); }

void ServingMetrics::CountRefusedCall(size_t reason) { refused_calls_[reason]->Increment(); }

}  // namespace anybit::metrics
