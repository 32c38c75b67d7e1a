#include "scheduler/sim/summary.h"

#include <algorithm>
#include <cstddef>
#include <map>

#include "base/statistics.h"

namespace anybit::scheduler::sim {
namespace {

size_t IndexOf(PointId point) { return static_cast<size_t>(ToIndex(point)); }

void CountOutcomes(const PointTable& points, const SimulationResult& result, Summary& summary) {
  for (const RequestRecord& record : result.requests) {
    switch (record.kind) {
      case OutcomeKind::kServed: ++(record.in_time ? summary.attained : summary.late); break;
      case OutcomeKind::kShed: ++summary.shed; break;
      case OutcomeKind::kExpired: ++summary.expired; break;
      default: ++summary.otherwise;
    }
    if (record.in_time) ++summary.attained_by_point[IndexOf(record.point)];
  }
  for (size_t p = 0; p < points.size(); ++p) {
    summary.utility_sum += static_cast<double>(summary.attained_by_point[p]) * points[p].accuracy;
  }
}

Duration Span(std::span<const OfferedRequest> requests, const SimulationResult& result) {
  MonoTime last = requests.back().arrival;
  for (const RequestRecord& record : result.requests) {
    if (record.kind == OutcomeKind::kServed) last = std::max(last, record.answered);
  }
  return last - requests.front().arrival;
}

std::optional<LatencyQuantiles> Latencies(std::span<const OfferedRequest> requests, const SimulationResult& result) {
  std::vector<Duration> latencies;
  latencies.reserve(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    if (result.requests[i].in_time) latencies.push_back(result.requests[i].answered - requests[i].arrival);
  }
  if (latencies.empty()) return std::nullopt;
  return LatencyQuantiles{.p50 = Quantile(latencies, .5),
                          .p90 = Quantile(latencies, .9),
                          .p99 = Quantile(latencies, .99),
                          .p999 = Quantile(latencies, .999)};
}

// (sum x)^2 / (n * sum x^2): 1 if all tenants have the same attainment, 1/n if only one attains anything. Jain, Chiu
// and Hawe, "A quantitative measure of fairness and discrimination", 1984.
std::optional<double> Fairness(std::span<const OfferedRequest> requests, const SimulationResult& result) {
  struct Tenant {
    int64_t offered = 0;
    int64_t attained = 0;
  };
  std::map<TenantId, Tenant> tenants;
  for (size_t i = 0; i < requests.size(); ++i) {
    Tenant& tenant = tenants[requests[i].tenant];
    ++tenant.offered;
    tenant.attained += result.requests[i].in_time;
  }
  if (tenants.size() < 2) return std::nullopt;
  double sum = 0, squares = 0;
  for (const auto& [id, tenant] : tenants) {
    const double attainment = static_cast<double>(tenant.attained) / static_cast<double>(tenant.offered);
    sum += attainment;
    squares += attainment * attainment;
  }
  if (squares == 0) return 1;  // all are served equally badly
  return sum * sum / (static_cast<double>(tenants.size()) * squares);
}

int64_t CountSwitches(const std::vector<BatchRecord>& batches) {
  std::map<int, PointId> last;  // by slot
  int64_t switches = 0;
  for (const BatchRecord& batch : batches) {
    const auto [place, is_first] = last.try_emplace(batch.slot, batch.point);
    if (!is_first && place->second != batch.point) ++switches;
    place->second = batch.point;
  }
  return switches;
}

}  // namespace

Summary Summarize(const PointTable& points, std::span<const OfferedRequest> requests, const SimulationResult& result) {
  Summary summary{.offered = static_cast<int64_t>(requests.size()),
                  .attained_by_point = std::vector<int64_t>(points.size()),
                  .batches = static_cast<int64_t>(result.batches.size()),
                  .replaced_decisions = result.replaced_decisions};
  CountOutcomes(points, result, summary);
  if (summary.attained > 0) summary.served_accuracy = summary.utility_sum / static_cast<double>(summary.attained);
  if (!requests.empty()) {
    summary.attainment = static_cast<double>(summary.attained) / static_cast<double>(summary.offered);
    summary.utility = summary.utility_sum / static_cast<double>(summary.offered);
    summary.span = Span(requests, result);
  }
  summary.latency = Latencies(requests, result);
  summary.fairness = Fairness(requests, result);

  int64_t rows = 0;
  for (const BatchRecord& batch : result.batches) rows += batch.rows;
  if (summary.batches > 0) summary.mean_batch = static_cast<double>(rows) / static_cast<double>(summary.batches);
  if (const double seconds = ToSeconds(summary.span); seconds > 0) {
    summary.offered_per_second = static_cast<double>(summary.offered) / seconds;
    summary.goodput = static_cast<double>(summary.attained) / seconds;
    summary.switches_per_second = static_cast<double>(CountSwitches(result.batches)) / seconds;
  }
  if (!result.decision_ns.empty()) {
    std::vector<int32_t> decision_ns = result.decision_ns;
    summary.decision_p50_ns = Quantile(decision_ns, .5);
    summary.decision_p99_ns = Quantile(decision_ns, .99);
  }
  return summary;
}

Timeline MakeTimeline(const PointTable& points, std::span<const OfferedRequest> requests,
                      const SimulationResult& result, int bins) {
  const auto count = static_cast<size_t>(bins);
  Timeline timeline{.offered = std::vector<int64_t>(count),
                    .attained = std::vector(points.size(), std::vector<int64_t>(count))};
  if (requests.empty()) return timeline;
  timeline.start = requests.front().arrival;
  // One nanosecond more than needed, so that the last arrival still lies in the last bin.
  timeline.bin = (requests.back().arrival - timeline.start) / bins + Duration(1);
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto bin = static_cast<size_t>((requests[i].arrival - timeline.start) / timeline.bin);
    ++timeline.offered[bin];
    const RequestRecord& record = result.requests[i];
    if (record.in_time) ++timeline.attained[IndexOf(record.point)][bin];
  }
  return timeline;
}

}  // namespace anybit::scheduler::sim
