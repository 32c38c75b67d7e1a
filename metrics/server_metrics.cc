#include "metrics/server_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

namespace anybit::metrics {

ServerMetrics::ServerMetrics(MetricsPage& page, const ServerMetricsLabels& labels) : series_(page) {
  for (int kind = 0; kind < scheduler::kOutcomeKinds; ++kind) {
    requests_[kind] = series_.Requests(scheduler::OutcomeName(static_cast<scheduler::OutcomeKind>(kind)));
  }
  for (int reason = 0; reason < scheduler::kShedReasons; ++reason) {
    shed_[reason] = series_.Shed(scheduler::kShedReasonNames[reason]);
  }
  invalid_requests_ = series_.Requests("invalid");
  for (const std::string& reason : labels.refused_call_reasons) {
    refused_calls_.push_back(
        series_.Counter("anybit_refused_calls_total",
                        "Calls that ended before they were a request, by why: a method that is not offered, a message "
                        "that cannot be parsed, one that did not arrive as a whole or was too large.",
                        {{"reason", reason}}));
  }
  request_bytes_ = series_.Gauge("anybit_request_memory_bytes",
                                 "Memory that requests hold, from the reading of a call to the sending of its answer.");
  request_limit_bytes_ = series_.Gauge("anybit_request_memory_limit_bytes",
                                       "What requests may hold (--max_queue_bytes); beyond it calls are refused.");
  ready_ = series_.Gauge("anybit_ready", "1 while the server is ready, 0 while it starts or drains.");
  certificate_expiry_ =
      series_.Gauge("anybit_tls_certificate_expiry_timestamp_seconds",
                    "End of the validity of the server's certificate, in seconds since 1970; 0 without TLS.");
  series_
      .Gauge("anybit_build_info", "The version of the server, and the commit it was built from; always 1.",
             {{"version", labels.build_version}, {"commit", labels.commit}})
      ->Set(1);
  AddProcess();
  if (!labels.device_uuid.empty()) AddDevice(labels.device_uuid);
}

// The names and meanings that Prometheus' client libraries share.
void ServerMetrics::AddProcess() {
  const absl::MutexLock lock(&process_mutex_);
  process_ = {
      .cpu_seconds = series_.Counter("process_cpu_seconds_total", "User and system processor time of the process."),
      .start_time = series_.Gauge("process_start_time_seconds", "Start of the process, in seconds since 1970."),
      .resident_bytes = series_.Gauge("process_resident_memory_bytes", "Resident memory of the process."),
      .virtual_bytes = series_.Gauge("process_virtual_memory_bytes", "Address space of the process."),
      .threads = series_.Gauge("process_threads", "Threads of the process."),
      .open_descriptors = series_.Gauge("process_open_fds", "Open file descriptors of the process."),
      .max_descriptors = series_.Gauge("process_max_fds", "File descriptors that the process may open.")};
}

void ServerMetrics::AddDevice(const std::string& uuid) {
  const auto gauge = [&](const char* name, const char* help) { return series_.Gauge(name, help, {{"uuid", uuid}}); };
  device_ = {
      .utilization = gauge("anybit_device_utilization_ratio", "Part of recent time in which the GPU ran a kernel."),
      .memory_used = gauge("anybit_device_memory_used_bytes", "Memory of the GPU in use, by any process."),
      .memory_total = gauge("anybit_device_memory_total_bytes", "Memory of the GPU."),
      .temperature = gauge("anybit_device_temperature_celsius", "Temperature of the GPU."),
      .power = gauge("anybit_device_power_watts", "Power that the GPU draws."),
      .memory_errors = gauge("anybit_device_uncorrected_memory_errors",
                             "Memory errors that ECC could not correct, since the driver was loaded.")};
}

void ServerMetrics::CountInvalidRequest() { invalid_requests_->Increment(); }

void ServerMetrics::CountRequest(scheduler::OutcomeKind kind) { requests_[static_cast<size_t>(kind)]->Increment(); }

void ServerMetrics::CountShed(scheduler::ShedReason reason) {
  CountRequest(scheduler::OutcomeKind::kShed);
  shed_[static_cast<size_t>(reason)]->Increment();
}

void ServerMetrics::CountRefusedCall(size_t reason) { refused_calls_[reason]->Increment(); }

void ServerMetrics::SetRequestBytes(int64_t held, int64_t limit) {
  request_bytes_->Set(static_cast<double>(held));
  request_limit_bytes_->Set(static_cast<double>(limit));
}

void ServerMetrics::SetProcessUsage(const ProcessUsage& usage) {
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

void ServerMetrics::SetReady(bool ready) { ready_->Set(ready ? 1 : 0); }

void ServerMetrics::SetCertificateExpiry(std::chrono::system_clock::time_point expiry) {
  certificate_expiry_->Set(std::chrono::duration<double>(expiry.time_since_epoch()).count());
}

void ServerMetrics::SetDevice(const DeviceMetrics& device) {
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

}  // namespace anybit::metrics
