// What metrics and the log take of a request's processor time: the observers' part, in virtual events.
//
//   bazel run -c opt //tests/load:observer_benchmark
//
// Prints one JSON object: nanoseconds for each served request (metrics, statistics and log apart, in batches of one and
// of eight rows), for a refused one whose line is left out because there were too many, and for a scrape. Medians of
// rounds in which all take turns.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/json_line.h"
#include "base/statistics.h"
#include "metrics/metrics_page.h"
#include "metrics/serving_metrics.h"
#include "scheduler/observer.h"
#include "server/event_log.h"
#include "server/log_observer.h"
#include "server/model_statistics.h"
#include "server/served_model.h"

namespace anybit::server {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kRequests = 20'000;
constexpr int kRounds = 31;
constexpr int kDeliveredOneIn = 8;

// Those of the default network.
metrics::ServingMetricsLabels Labels() {
  return {.model = "fashion",
          .isa = "avx2",
          .points = {{.name = "fp32", .accuracy = .942},
                     {.name = "w8a8", .accuracy = .9424},
                     {.name = "w4a4f", .accuracy = .9439},
                     {.name = "w3a2f", .accuracy = .9396},
                     {.name = "w1a1", .accuracy = .9281}},
          .sla_classes = {{.name = "default", .objective = milliseconds(50)}},
          .tenants = {"default"},
          .max_batch = 64,
          .row_latencies = std::vector<Duration>(5, microseconds(200))};
}

// The events of `kRequests` served requests in batches of `rows`.
void Serve(scheduler::SchedulerObserver& observer, int rows) {
  const PointId point = ToPointId(2);
  for (int request = 0; request < kRequests; request += rows) {
    for (int row = 0; row < rows; ++row) {
      observer.OnAdmitted({.rows = 1});
      observer.OnQueue({.waiting_requests = row + 1, .waiting_rows = row + 1});
    }
    observer.OnDispatched({.point = point,
                           .point_accuracy = .9439,
                           .requests = rows,
                           .rows = rows,
                           .predicted = microseconds(200),
                           .earliest_slack = milliseconds(40)});
    observer.OnQueue({.running_batches = 1});
    observer.OnBatchFinished({.point = point,
                              .rows = rows,
                              .predicted = microseconds(200),
                              .actual = microseconds(210),
                              .computed = microseconds(205),
                              .ok = true});
    for (int row = 0; row < rows; ++row) {
      observer.OnEnded({.kind = scheduler::OutcomeKind::kServed,
                        .point = point,
                        .expected_accuracy = .9439,
                        .rows = 1,
                        .queue_time = microseconds(100),
                        .compute_time = microseconds(205),
                        .total_time = microseconds(320),
                        .has_deadline = true,
                        .deadline_met = true});
      if ((request + row) % kDeliveredOneIn == 0) observer.OnDelivered({.took = microseconds(300)});
    }
    observer.OnQueue({});
  }
}

void Refuse(scheduler::SchedulerObserver& observer, const absl::Status& status) {
  for (int request = 0; request < kRequests; ++request) {
    observer.OnEnded({.kind = scheduler::OutcomeKind::kShed, .rows = 1, .has_deadline = true, .status = &status});
  }
}

struct Measured {
  std::string name;
  double divisor = kRequests;
  std::function<void()> work;
  std::vector<double> nanoseconds = {};
};

int Run() {
  metrics::MetricsPage page;
  metrics::ServingMetrics serving(page, Labels());
  ModelStatistics statistics(64, [] { return WallTime(std::chrono::system_clock::now()); });
  ServedModel model{.sla_classes = {{.name = "default"}}, .tenants = {{.name = "default"}}};
  EventLog log(
      {}, [](absl::string_view) {}, [] { return WallTime(std::chrono::system_clock::now()); });
  LogObserver log_observer(model, log);
  const absl::Status refusal = absl::ResourceExhaustedError("no operating point can meet the deadline");
  size_t page_bytes = 0;
  std::vector<Measured> all = {{.name = "metrics_ns", .work = [&] { Serve(serving, 1); }},
                               {.name = "metrics_ns_in_batches_of_8", .work = [&] { Serve(serving, 8); }},
                               {.name = "statistics_ns", .work = [&] { Serve(statistics, 1); }},
                               {.name = "log_ns", .work = [&] { Serve(log_observer, 1); }},
                               {.name = "metrics_ns_of_a_refusal", .work = [&] { Refuse(serving, refusal); }},
                               {.name = "log_ns_of_a_refusal", .work = [&] { Refuse(log_observer, refusal); }},
                               {.name = "scrape_ns", .divisor = 1, .work = [&] { page_bytes = page.Text().size(); }}};
  for (int round = 0; round < kRounds; ++round) {
    for (Measured& measured : all) {
      const auto start = std::chrono::steady_clock::now();
      measured.work();
      const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
      measured.nanoseconds.push_back(took.count() / measured.divisor);
    }
  }
  JsonLine line;
  for (Measured& measured : all) line.Add(measured.name, Quantile(measured.nanoseconds, 0.5));
  std::cout << line.Add("scrape_bytes", page_bytes).text() << "\n";
  return 0;
}

}  // namespace
}  // namespace anybit::server

int main() { return anybit::server::Run(); }
