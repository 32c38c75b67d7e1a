#include "metrics/serving_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace anybit::metrics {
namespace {

using Boundaries = std::vector<double>;

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

}  // namespace

ServingMetrics::ServingMetrics(MetricsPage& page, const ServingMetricsLabels& labels)
    : series_(page, {{"version", std::to_string(labels.version)}}) {
  for (const scheduler::PointInfo& point : labels.points) best_accuracy_ = std::max(best_accuracy_, point.accuracy);
  AddRequests();
  AddClasses(labels);
  AddTenants(labels);
  AddPoints(labels);
  AddHistograms(labels);
  AddGauges(labels);
  Labels model = {{"model", labels.model}};
  if (!labels.isa.empty()) model.emplace("isa", labels.isa);
  series_
      .Gauge("anybit_model_info", "A version that is served, and the instruction set of its kernels; always 1.",
             std::move(model))
      ->Set(1);
}

void ServingMetrics::AddRequests() {
  for (int kind = 0; kind < scheduler::kOutcomeKinds; ++kind) {
    requests_[kind] = series_.Requests(scheduler::OutcomeName(static_cast<scheduler::OutcomeKind>(kind)));
  }
  for (int reason = 0; reason < scheduler::kShedReasons; ++reason) {
    shed_[reason] = series_.Shed(scheduler::kShedReasonNames[reason]);
  }
  replaced_decisions_ =
      series_.Counter("anybit_decisions_replaced_total",
                      "Decisions of the policy that failed their check; the fallback's were applied.");
}

void ServingMetrics::AddClasses(const ServingMetricsLabels& labels) {
  const auto requests = [&](const std::string& name, const char* met) {
    return series_.Counter("anybit_slo_requests_total",
                           "Requests with a deadline, by whether they were answered in time. Refused, expired and "
                           "failed ones were not; cancelled ones are left out.",
                           {{"sla_class", name}, {"met", met}});
  };
  const Boundaries boundaries = DurationBoundaries(labels.sla_classes);
  for (const auto& sla_class : labels.sla_classes) {
    sla_classes_.push_back({.met = requests(sla_class.name, "true"),
                            .missed = requests(sla_class.name, "false"),
                            .duration = series_.Histogram("anybit_request_duration_seconds",
                                                          "From arrival to answer, of requests that were served.",
                                                          boundaries, {{"sla_class", sla_class.name}})});
  }
}

void ServingMetrics::AddTenants(const ServingMetricsLabels& labels) {
  const auto requests = [&](const std::string& name, const char* met) {
    return series_.Counter("anybit_tenant_requests_total",
                           "Requests of a tenant, by whether they were answered, and in time if they had a "
                           "deadline; cancelled ones are left out.",
                           {{"tenant", name}, {"met", met}});
  };
  for (const std::string& tenant : labels.tenants) {
    tenants_.push_back(
        {.met = requests(tenant, "true"),
         .missed = requests(tenant, "false"),
         .served_accuracy = series_.Histogram("anybit_tenant_served_accuracy_ratio",
                                              "Expected accuracy of a tenant's served requests, as a fraction.",
                                              AccuracyBoundaries(labels.points), {{"tenant", tenant}})});
  }
}

void ServingMetrics::AddPoints(const ServingMetricsLabels& labels) {
  for (size_t i = 0; i < labels.points.size(); ++i) {
    const Labels name = {{"operating_point", labels.points[i].name}};
    points_.push_back(AddPoint(labels.points[i].name));
    series_
        .Gauge("anybit_operating_point_accuracy_ratio", "Measured top-1 accuracy of an operating point, as a fraction.",
               name)
        ->Set(labels.points[i].accuracy);
    const double row_seconds = i < labels.row_latencies.size() ? ToSeconds(labels.row_latencies[i]) : 0;
    series_
        .Gauge("anybit_operating_point_row_seconds",
               "Time for one row of the largest batch at an operating point, by the profile.", name)
        ->Set(row_seconds);
    if (labels.points[i].accuracy == best_accuracy_) queued_row_seconds_ = row_seconds / labels.slots;
  }
}

ServingMetrics::Point ServingMetrics::AddPoint(const std::string& name) {
  const auto with = [&](const char* label, const char* value) {
    return Labels{{"operating_point", name}, {label, value}};
  };
  Point point{.batches = series_.Counter("anybit_batches_total", "Batches dispatched, by operating point.",
                                         {{"operating_point", name}}),
              .rows = series_.Counter("anybit_rows_total", "Rows dispatched, by operating point.",
                                      {{"operating_point", name}})};
  for (int reason = 0; reason < scheduler::kSwitchReasons; ++reason) {
    point.switches[reason] =
        series_.Counter("anybit_operating_point_switches_total",
                        "Batches at another operating point than the batch before, by the point switched to and why.",
                        with("reason", scheduler::kSwitchReasonNames[reason]));
  }
  for (const bool yes : {false, true}) {
    point.live_rows[yes] = series_.Counter("anybit_live_rows_total",
                                           "Answered rows that ran again at the most accurate operating point, by "
                                           "whether it finds the same class.",
                                           with("agrees", yes ? "true" : "false"));
    point.feedback_rows[yes] = series_.Counter("anybit_feedback_rows_total",
                                               "Answers whose true class a client has reported, by whether they "
                                               "were correct.",
                                               with("correct", yes ? "true" : "false"));
  }
  return point;
}

void ServingMetrics::AddHistograms(const ServingMetricsLabels& labels) {
  const Boundaries durations = DurationBoundaries(labels.sla_classes);
  queue_duration_ = series_.Histogram("anybit_queue_duration_seconds",
                                      "From arrival to the start of the batch, of requests that ran.", durations);
  compute_duration_ =
      series_.Histogram("anybit_compute_duration_seconds",
                        "From start to finish of the batch, of requests that ran: each request of a "
                        "batch adds the whole of it. anybit_slot_busy_seconds_total counts each batch once.",
                        durations);
  batch_rows_ =
      series_.Histogram("anybit_batch_rows", "Rows of a batch, at dispatch.", RowBoundaries(labels.max_batch));
  dispatch_slack_ =
      series_.Histogram("anybit_dispatch_slack_seconds",
                        "Earliest run_by of a batch minus its predicted end, at dispatch; below 0 the batch "
                        "is late before it begins.",
                        {-0.1, -0.01, -0.001, 0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1});
  prediction_ratio_ = series_.Histogram("anybit_batch_latency_prediction_ratio",
                                        "Measured over predicted latency of a batch; 1 is a perfect prediction.",
                                        {0.25, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10});
  delivery_duration_ = series_.Histogram("anybit_delivery_duration_seconds",
                                         "From the end of a batch until an answer was sent, of one answer in eight.",
                                         {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1});
  served_accuracy_ =
      series_.Histogram("anybit_served_accuracy_ratio", "Expected accuracy of served requests, as a fraction.",
                        AccuracyBoundaries(labels.points));
  accuracy_deficit_ = series_.Histogram("anybit_accuracy_deficit_ratio",
                                        "Accuracy of the best operating point minus the one served, as a fraction.",
                                        DeficitBoundaries(labels.points, best_accuracy_));
}

void ServingMetrics::AddGauges(const ServingMetricsLabels& labels) {
  queue_requests_ = series_.Gauge("anybit_queue_requests", "Requests that wait.");
  queue_rows_ = series_.Gauge("anybit_queue_rows", "Rows that wait.");
  queue_work_ = series_.Gauge("anybit_queue_work_seconds",
                              "Time that all slots need for the rows that wait, at the most accurate operating point.");
  running_batches_ = series_.Gauge("anybit_running_batches", "Batches that run.");
  weight_bytes_ = series_.Gauge("anybit_weight_bytes",
                                "Memory of the network's weights, from which all operating points are derived.");
  panel_bytes_ = series_.Gauge("anybit_panel_bytes",
                               "Memory of the panels that are kept: copies of the weights for single operating points "
                               "(--panel_memory limits them).");
  for (int slot = 0; slot < labels.slots; ++slot) {
    slot_busy_.push_back(
        series_.Counter("anybit_slot_busy_seconds_total",
                        "Time in which a slot computed; each batch counts once. Its rate is the utilization.",
                        {{"slot", std::to_string(slot)}}));
  }
}

void ServingMetrics::SetNetworkBytes(int64_t weights, int64_t panels) {
  weight_bytes_->Set(static_cast<double>(weights));
  panel_bytes_->Set(static_cast<double>(panels));
}

void ServingMetrics::OnDispatched(const scheduler::DispatchedEvent& event) {
  const Point& point = points_[ToIndex(event.point)];
  point.batches->Increment();
  point.rows->Increment(event.rows);
  if (event.switched.has_value()) point.switches[static_cast<size_t>(*event.switched)]->Increment();
  batch_rows_->Observe(event.rows);
  if (event.earliest_slack != Duration::max()) {
    dispatch_slack_->Observe(ToSeconds(event.earliest_slack - event.predicted));
  }
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
  if (event.kind == scheduler::OutcomeKind::kShed) shed_[static_cast<size_t>(event.shed_reason)]->Increment();
  const Tenant& tenant = tenants_[static_cast<size_t>(event.tenant)];
  const SlaClass& sla_class = sla_classes_[static_cast<size_t>(event.sla_class)];
  if (event.kind != scheduler::OutcomeKind::kCancelled) {
    const bool met = event.kind == scheduler::OutcomeKind::kServed && (event.deadline_met || !event.has_deadline);
    (met ? tenant.met : tenant.missed)->Increment();
    if (event.has_deadline) (met ? sla_class.met : sla_class.missed)->Increment();
  }
  if (event.kind == scheduler::OutcomeKind::kServed || event.kind == scheduler::OutcomeKind::kFailed) {
    queue_duration_->Observe(ToSeconds(event.queue_time));
    compute_duration_->Observe(ToSeconds(event.compute_time));
  }
  if (event.kind == scheduler::OutcomeKind::kServed) {
    sla_class.duration->Observe(ToSeconds(event.total_time));
    served_accuracy_->Observe(event.expected_accuracy);
    tenant.served_accuracy->Observe(event.expected_accuracy);
    accuracy_deficit_->Observe(best_accuracy_ - event.expected_accuracy);
  }
}

void ServingMetrics::CountLiveRow(PointId point, bool agrees) {
  points_[static_cast<size_t>(ToIndex(point))].live_rows[agrees]->Increment();
}

void ServingMetrics::CountFeedback(PointId point, bool correct) {
  points_[static_cast<size_t>(ToIndex(point))].feedback_rows[correct]->Increment();
}

void ServingMetrics::OnQueue(const scheduler::QueueEvent& event) {
  queue_requests_->Set(event.waiting_requests);
  queue_rows_->Set(event.waiting_rows);
  queue_work_->Set(event.waiting_rows * queued_row_seconds_);
  running_batches_->Set(event.running_batches);
}

void ServingMetrics::OnDecisionReplaced(const scheduler::DecisionReplacedEvent& event) {
  replaced_decisions_->Increment();
}

}  // namespace anybit::metrics
