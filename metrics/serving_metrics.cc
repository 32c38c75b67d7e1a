#include "metrics/serving_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
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

auto& Counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

auto& Gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

auto& Histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

prometheus::Gauge* AddGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return &Gauges(registry, name, help).Add({});
}

prometheus::Histogram* AddHistogram(prometheus::Registry& registry, const char* name, const char* help,
                                    const Boundaries& boundaries) {
  return &Histograms(registry, name, help).Add({}, boundaries);
}

}  // namespace

ServingMetrics::ServingMetrics(const ServingMetricsLabels& labels)
    : registry_(std::make_unique<prometheus::Registry>()) {
  for (const scheduler::PointInfo& point : labels.points) best_accuracy_ = std::max(best_accuracy_, point.accuracy);
  AddRequests(labels);
  AddClasses(labels);
  AddTenants(labels);
  AddPoints(labels);
  AddHistograms(labels);
  AddGauges(labels);
  AddInfo(labels);
  AddDevice(labels);
  AddProcess();
}

void ServingMetrics::AddRequests(const ServingMetricsLabels& labels) {
  auto& requests = Counters(*registry_, "anybit_requests_total", "Requests that ended, by how they ended.");
  for (int kind = 0; kind < scheduler::kOutcomeKinds; ++kind) {
    requests_[kind] = &requests.Add({{"outcome", scheduler::OutcomeName(static_cast<scheduler::OutcomeKind>(kind))}});
  }
  invalid_requests_ = &requests.Add({{"outcome", "invalid"}});

  auto& refused_calls =
      Counters(*registry_, "anybit_refused_calls_total",
               "Calls that ended before they were a request, by why: a method that is not offered, a message that "
               "cannot be parsed, one that did not arrive as a whole or was too large.");
  for (const std::string& reason : labels.refused_call_reasons) {
    refused_calls_.push_back(&refused_calls.Add({{"reason", reason}}));
  }
  replaced_decisions_ = &Counters(*registry_, "anybit_decisions_replaced_total",
                                  "Decisions of the policy that failed their check; the fallback's were applied.")
                             .Add({});
}

void ServingMetrics::AddClasses(const ServingMetricsLabels& labels) {
  auto& requests = Counters(*registry_, "anybit_slo_requests_total",
                            "Requests with a deadline, by whether they were answered in time. Refused, expired and "
                            "failed ones were not; cancelled ones are left out.");
  auto& durations = Histograms(*registry_, "anybit_request_duration_seconds",
                               "From arrival to answer, of requests that were served.");
  const Boundaries boundaries = DurationBoundaries(labels.sla_classes);
  for (const auto& sla_class : labels.sla_classes) {
    sla_classes_.push_back({.met = &requests.Add({{"sla_class", sla_class.name}, {"met", "true"}}),
                            .missed = &requests.Add({{"sla_class", sla_class.name}, {"met", "false"}}),
                            .duration = &durations.Add({{"sla_class", sla_class.name}}, boundaries)});
  }
}

void ServingMetrics::AddTenants(const ServingMetricsLabels& labels) {
  auto& requests = Counters(*registry_, "anybit_tenant_requests_total",
                            "Requests of a tenant, by whether they were answered, and in time if they had a deadline; "
                            "cancelled ones are left out.");
  auto& accuracy = Histograms(*registry_, "anybit_tenant_served_accuracy_ratio",
                              "Expected accuracy of a tenant's served requests, as a fraction.");
  for (const std::string& tenant : labels.tenants) {
    tenants_.push_back({.met = &requests.Add({{"tenant", tenant}, {"met", "true"}}),
                        .missed = &requests.Add({{"tenant", tenant}, {"met", "false"}}),
                        .served_accuracy = &accuracy.Add({{"tenant", tenant}}, AccuracyBoundaries(labels.points))});
  }
}

void ServingMetrics::AddPoints(const ServingMetricsLabels& labels) {
  auto& batches = Counters(*registry_, "anybit_batches_total", "Batches dispatched, by operating point.");
  auto& rows = Counters(*registry_, "anybit_rows_total", "Rows dispatched, by operating point.");
  auto& switches = Counters(*registry_, "anybit_operating_point_switches_total",
                            "Batches at another operating point than the batch before, by the point switched to.");
  auto& accuracies = Gauges(*registry_, "anybit_operating_point_accuracy_ratio",
                            "Measured top-1 accuracy of an operating point, as a fraction.");
  auto& latencies = Gauges(*registry_, "anybit_operating_point_row_seconds",
                           "Time for one row of the largest batch at an operating point, by the profile.");
  for (size_t i = 0; i < labels.points.size(); ++i) {
    const prometheus::Labels label = {{"operating_point", labels.points[i].name}};
    points_.push_back({.batches = &batches.Add(label), .rows = &rows.Add(label), .switches = &switches.Add(label)});
    accuracies.Add(label).Set(labels.points[i].accuracy);
    const double row_seconds = i < labels.row_latencies.size() ? ToSeconds(labels.row_latencies[i]) : 0;
    latencies.Add(label).Set(row_seconds);
    if (labels.points[i].accuracy == best_accuracy_) queued_row_seconds_ = row_seconds / labels.slots;
  }
}

void ServingMetrics::AddHistograms(const ServingMetricsLabels& labels) {
  prometheus::Registry& registry = *registry_;
  const Boundaries durations = DurationBoundaries(labels.sla_classes);
  queue_duration_ = AddHistogram(registry, "anybit_queue_duration_seconds",
                                 "From arrival to the start of the batch, of requests that ran.", durations);
  compute_duration_ = AddHistogram(registry, "anybit_compute_duration_seconds",
                                   "From start to finish of the batch, of requests that ran: each request of a "
                                   "batch adds the whole of it. anybit_slot_busy_seconds_total counts each batch once.",
                                   durations);
  batch_rows_ =
      AddHistogram(registry, "anybit_batch_rows", "Rows of a batch, at dispatch.", RowBoundaries(labels.max_batch));
  dispatch_slack_ = AddHistogram(registry, "anybit_dispatch_slack_seconds",
                                 "Earliest run_by of a batch minus its predicted end, at dispatch; below 0 the batch "
                                 "is late before it begins.",
                                 {-0.1, -0.01, -0.001, 0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1});
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
}

void ServingMetrics::AddGauges(const ServingMetricsLabels& labels) {
  prometheus::Registry& registry = *registry_;
  queue_requests_ = AddGauge(registry, "anybit_queue_requests", "Requests that wait.");
  queue_rows_ = AddGauge(registry, "anybit_queue_rows", "Rows that wait.");
  queue_work_ = AddGauge(registry, "anybit_queue_work_seconds",
                         "Time that all slots need for the rows that wait, at the most accurate operating point.");
  running_batches_ = AddGauge(registry, "anybit_running_batches", "Batches that run.");
  request_bytes_ = AddGauge(registry, "anybit_request_memory_bytes",
                            "Memory that requests hold, from the reading of a call to the sending of its answer.");
  request_limit_bytes_ = AddGauge(registry, "anybit_request_memory_limit_bytes",
                                  "What requests may hold (--max_queue_bytes); beyond it calls are refused.");
  ready_ = AddGauge(registry, "anybit_ready", "1 while the server is ready, 0 while it starts or drains.");
  certificate_expiry_ =
      AddGauge(registry, "anybit_tls_certificate_expiry_timestamp_seconds",
               "End of the validity of the server's certificate, in seconds since 1970; 0 without TLS.");
  auto& slot_busy = Counters(registry, "anybit_slot_busy_seconds_total",
                             "Time in which a slot computed; each batch counts once. Its rate is the utilization.");
  for (int slot = 0; slot < labels.slots; ++slot) {
    slot_busy_.push_back(&slot_busy.Add({{"slot", std::to_string(slot)}}));
  }
}

// Nothing where the labels name no device.
void ServingMetrics::AddDevice(const ServingMetricsLabels& labels) {
  prometheus::Registry& registry = *registry_;
  if (labels.device_uuid.empty()) return;
  const auto gauge = [&](const char* name, const char* help) {
    return &prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({{"uuid", labels.device_uuid}});
  };
  device_ = {
      .utilization = gauge("anybit_device_utilization_ratio", "Part of recent time in which the GPU ran a kernel."),
      .memory_used = gauge("anybit_device_memory_used_bytes", "Memory of the GPU in use, by any process."),
      .memory_total = gauge("anybit_device_memory_total_bytes", "Memory of the GPU."),
      .temperature = gauge("anybit_device_temperature_celsius", "Temperature of the GPU."),
      .power = gauge("anybit_device_power_watts", "Power that the GPU draws."),
      .memory_errors = gauge("anybit_device_uncorrected_memory_errors",
                             "Memory errors that ECC could not correct, since the driver was loaded.")};
}

void ServingMetrics::AddInfo(const ServingMetricsLabels& labels) {
  prometheus::Labels model = {{"model", labels.model}, {"version", std::to_string(labels.version)}};
  if (!labels.isa.empty()) model.emplace("isa", labels.isa);
  Gauges(*registry_, "anybit_model_info", "The model that is served, and the instruction set of its kernels; always 1.")
      .Add(model)
      .Set(1);
  Gauges(*registry_, "anybit_build_info", "The version of the server, and the commit it was built from; always 1.")
      .Add({{"version", labels.build_version}, {"commit", labels.commit}})
      .Set(1);
}

// The names and meanings that Prometheus' client libraries share.
void ServingMetrics::AddProcess() {
  prometheus::Registry& registry = *registry_;
  const absl::MutexLock lock(&process_mutex_);
  process_ = {
      .cpu_seconds =
          &Counters(registry, "process_cpu_seconds_total", "User and system processor time of the process.").Add({}),
      .start_time = AddGauge(registry, "process_start_time_seconds", "Start of the process, in seconds since 1970."),
      .resident_bytes = AddGauge(registry, "process_resident_memory_bytes", "Resident memory of the process."),
      .virtual_bytes = AddGauge(registry, "process_virtual_memory_bytes", "Address space of the process."),
      .threads = AddGauge(registry, "process_threads", "Threads of the process."),
      .open_descriptors = AddGauge(registry, "process_open_fds", "Open file descriptors of the process."),
      .max_descriptors = AddGauge(registry, "process_max_fds", "File descriptors that the process may open.")};
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
  if (last_point_.has_value() && *last_point_ != event.point) point.switches->Increment();
  last_point_ = event.point;
  batch_rows_->Observe(event.rows);
  if (event.earliest_slack != Duration::max()) {
    dispatch_slack_->Observe(ToSeconds(event.earliest_slack - event.predicted));
  }
}

void ServingMetrics::SetRequestBytes(int64_t held, int64_t limit) {
  request_bytes_->Set(static_cast<double>(held));
  request_limit_bytes_->Set(static_cast<double>(limit));
}

void ServingMetrics::SetProcessUsage(const ProcessUsage& usage) {
  const absl::MutexLock lock(&process_mutex_);
  const double used = usage.cpu_seconds - process_.cpu_seconds->Value();
  if (used > 0) process_.cpu_seconds->Increment(used);
  process_.start_time->Set(usage.start_time_seconds);
  process_.resident_bytes->Set(static_cast<double>(usage.resident_bytes));
  process_.virtual_bytes->Set(static_cast<double>(usage.virtual_bytes));
  process_.threads->Set(usage.threads);
  process_.open_descriptors->Set(usage.open_descriptors);
  process_.max_descriptors->Set(static_cast<double>(usage.max_descriptors));
}

void ServingMetrics::SetReady(bool ready) { ready_->Set(ready ? 1 : 0); }

void ServingMetrics::SetCertificateExpiry(std::chrono::system_clock::time_point expiry) {
  certificate_expiry_->Set(std::chrono::duration<double>(expiry.time_since_epoch()).count());
}

void ServingMetrics::SetDevice(const DeviceMetrics& device) {
  if (!device_.has_value()) return;
  const auto set = [](prometheus::Gauge* gauge, const std::optional<double>& value) {
    if (value.has_value()) gauge->Set(*value);
  };
  set(device_->utilization, device.utilization);
  set(device_->memory_used, device.memory_used_bytes);
  set(device_->memory_total, device.memory_total_bytes);
  set(device_->temperature, device.temperature_celsius);
  set(device_->power, device.power_watts);
  set(device_->memory_errors, device.uncorrected_memory_errors);
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

void ServingMetrics::OnQueue(const scheduler::QueueEvent& event) {
  queue_requests_->Set(event.waiting_requests);
  queue_rows_->Set(event.waiting_rows);
  queue_work_->Set(event.waiting_rows * queued_row_seconds_);
  running_batches_->Set(event.running_batches);
}

void ServingMetrics::OnDecisionReplaced(const scheduler::DecisionReplacedEvent& event) {
  replaced_decisions_->Increment();
}

void ServingMetrics::CountInvalidRequest() { invalid_requests_->Increment(); }

void ServingMetrics::CountRequest(scheduler::OutcomeKind kind) { requests_[static_cast<size_t>(kind)]->Increment(); }

void ServingMetrics::CountRefusedCall(size_t reason) { refused_calls_[reason]->Increment(); }

}  // namespace anybit::metrics
