// How a load was served: by step, by kind of request, and over time, from the outcomes of its calls.
//
// Every latency is kept until the report is made, so its percentiles are exact (nearest rank).
#ifndef ANYBIT_CLIENT_LOAD_REPORT_H_
#define ANYBIT_CLIENT_LOAD_REPORT_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/load_generator.h"
#include "client/load_plan.h"

namespace anybit::client {

// A set of calls that ended.
struct CallSummary {
  int64_t offered = 0;                      // calls that ended
  std::map<Ending, int64_t> endings;        // of all `offered`
  double attainment = 0;                    // attained / offered
  std::optional<double> expected_accuracy;  // mean over the attained of what the server expects of their point, 0..1
  std::optional<double> top1;               // share of right answers among the attained, where there are labels
  std::chrono::nanoseconds p50{0}, p90{0}, p99{0}, p999{0},
      max{0};                             // latency of the answered; zero where there are none
  std::map<std::string, int64_t> points;  // answers by operating point

  int64_t CountOf(Ending ending) const {
    const auto count = endings.find(ending);
    return count == endings.end() ? 0 : count->second;
  }
};

struct StepReport : CallSummary {
  double calls_per_second = 0;  // planned
  std::chrono::nanoseconds duration{0};
  bool complete = true;                        // all its calls ended
  std::chrono::nanoseconds send_delay_p99{0};  // from the planned instant until the call was sent
  bool client_limited = false;                 // send_delay_p99 is beyond SendDelayLimit
  std::vector<CallSummary> kinds;              // by PlannedCall::kind
};

// An equal part of a step. Its calls are those that were planned in it, whenever they ended.
struct Interval : CallSummary {
  int step = 0;
  std::chrono::nanoseconds begin{0};  // since the load's start
  std::chrono::nanoseconds duration{0};
};

struct PointAccuracy {
  std::string point;
  std::optional<double> expected;  // 0..1, as the server says
};

struct LoadReport {
  std::vector<StepReport> steps;  // of an interrupted load only up to the last one of which a call ended
  std::vector<Interval> timeline;
  std::vector<PointAccuracy> points;                // that answered; the most accurate one first
  std::vector<std::chrono::nanoseconds> latencies;  // of all answered calls, ascending
};

// Beyond this, a step measures the client too: a twentieth of the shortest deadline, at least 2 ms, which a thread may
// wait for a processor. Zeros are no deadlines.
std::chrono::nanoseconds SendDelayLimit(std::span<const std::chrono::nanoseconds> deadlines);

struct ReportOptions {
  std::span<const uint8_t> labels = {};  // one per image, or none
  int kinds = 1;                         // of calls
  std::chrono::nanoseconds send_delay_limit{0};
};

// `outcomes` are those of `plan`, in its order.
LoadReport ReportLoad(std::span<const LoadStep> steps, std::span<const PlannedCall> plan,
                      std::span<const CallOutcome> outcomes, const ReportOptions& options = {});

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_REPORT_H_
