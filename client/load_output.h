// A load's report as text: a table, JSON, CSV over time, and the distribution of its latencies.
#ifndef ANYBIT_CLIENT_LOAD_OUTPUT_H_
#define ANYBIT_CLIENT_LOAD_OUTPUT_H_

#include <optional>
#include <string>
#include <vector>

#include "client/load_mix.h"
#include "client/load_options.h"
#include "client/load_report.h"

namespace anybit::client {

// What was sent, and to whom.
struct LoadSent {
  LoadOptions options;
  std::vector<RequestKind> kinds;
  std::string model;
  std::optional<double> capacity;  // calls/s, where it was needed
};

std::string LoadTable(const LoadSent& sent, const LoadReport& report);

// One object per step, a line each.
std::string LoadJson(const LoadSent& sent, const LoadReport& report);

// A header, and a row for each interval of the timeline.
std::string LoadCsv(const LoadReport& report);

// The latencies of all answered calls in ms, in the text form of HdrHistogram's percentile distributions (.hgrm), which
// its plotters read: value, percentile, number of calls up to it, 1/(1 - percentile). Five rows for each halving of
// the rest.
std::string LoadPercentiles(const LoadReport& report);

// A sentence where the client limited some steps, which it counts from 1, else "".
std::string ClientLimitWarning(const LoadReport& report);

// What decides when calls come: "poisson arrivals", or the replayed files.
std::string TrafficName(const LoadOptions& options);

// "0.5x" where the steps are multiples of the capacity, otherwise "120/s".
std::string StepName(const LoadSent& sent, const StepReport& step);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_OUTPUT_H_
