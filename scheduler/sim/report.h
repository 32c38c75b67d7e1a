// One trace's runs for readers and programs: a table, and the outcome of each request as CSV. It makes texts only.
#ifndef ANYBIT_SCHEDULER_SIM_REPORT_H_
#define ANYBIT_SCHEDULER_SIM_REPORT_H_

#include <optional>
#include <span>
#include <string>

#include "scheduler/latency/profile.h"
#include "scheduler/sim/bound/bound.h"
#include "scheduler/sim/simulation.h"
#include "scheduler/sim/summary.h"
#include "scheduler/sim/traces/offered_request.h"

namespace anybit::scheduler::sim {

// A header line `id,outcome,point,batch,start_us,finish_us` and one line per request, by place: OutcomeName() of its
// outcome; the point's name, the rows of its batch and when that started and finished, in microseconds of the
// requests' clock, to the nanosecond. All four are empty for a request that did not run.
std::string OutcomesCsv(const PointTable& points, std::span<const OfferedRequest> requests,
                        const SimulationResult& result);

struct PolicyReport {
  std::string policy;
  Summary summary;
};

// A column per policy, a row per number; `bound` is that of the trace.
std::string SummaryTable(const PointTable& points, std::span<const PolicyReport> reports,
                         const std::optional<UtilityBound>& bound);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_REPORT_H_
