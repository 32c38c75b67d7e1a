// One run in a few numbers, and over time: the figures that are reported and that policies are compared by.
//
// A late or refused request earns nothing: accuracy and latency are those of the attained, attainment and utility are
// over all that was offered. Either pair alone can be won by refusing.
#ifndef ANYBIT_SCHEDULER_SIM_SUMMARY_H_
#define ANYBIT_SCHEDULER_SIM_SUMMARY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "scheduler/point_table.h"
#include "scheduler/sim/simulation.h"
#include "scheduler/sim/traces/offered_request.h"

namespace anybit::scheduler::sim {

struct LatencyQuantiles {
  Duration p50{};
  Duration p90{};
  Duration p99{};
  Duration p999{};
};

struct Summary {
  int64_t offered = 0;
  int64_t attained = 0;  // served in time
  int64_t late = 0;      // served after the deadline
  int64_t shed = 0;
  int64_t expired = 0;
  int64_t otherwise = 0;                    // none, unless something is broken
  double attainment = 0;                    // attained / offered; 0 if none was offered
  double utility = 0;                       // sum of accuracies over the attained / offered
  double utility_sum = 0;                   // the same sum, not divided
  std::optional<double> served_accuracy;    // mean over the attained
  Duration span{};                          // first arrival to the last arrival or answer
  double offered_per_second = 0;            // over the span
  double goodput = 0;                       // attained per second of the span
  std::optional<LatencyQuantiles> latency;  // arrival to answer, of the attained
  std::vector<int64_t> attained_by_point;   // [point]
  int64_t batches = 0;
  double mean_batch = 0;                   // rows
  double switches_per_second = 0;          // batches at another point than the last one of their slot
  std::optional<double> fairness;          // Jain's index over the tenants' attainments, if there are several
  std::optional<int32_t> decision_p50_ns;  // if decisions were timed
  std::optional<int32_t> decision_p99_ns;
  int64_t replaced_decisions = 0;
};

// `result` is that of `requests`, which are by arrival.
Summary Summarize(const PointTable& points, std::span<const OfferedRequest> requests, const SimulationResult& result);

// Requests by the instant of their arrival, in bins of equal length.
struct Timeline {
  MonoTime start{};
  Duration bin{};
  std::vector<int64_t> offered;                // [bin]
  std::vector<std::vector<int64_t>> attained;  // [point][bin]
};

// `bins` > 0. Without requests all counts are zero.
Timeline MakeTimeline(const PointTable& points, std::span<const OfferedRequest> requests,
                      const SimulationResult& result, int bins);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_SUMMARY_H_
