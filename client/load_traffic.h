// From the command line to when calls come: the workload or the recorded arrivals, and the steps.
#ifndef ANYBIT_CLIENT_LOAD_TRAFFIC_H_
#define ANYBIT_CLIENT_LOAD_TRAFFIC_H_

#include <chrono>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "client/load_options.h"
#include "client/load_plan.h"

namespace anybit::client {

// Reads the files of a replay. `deadlines` are those of the kinds of requests; zeros are none. InvalidArgument, beside
// the errors of base/arrivals/arrival_times.h, for files without an arrival.
absl::StatusOr<Traffic> MakeTraffic(const LoadOptions& options, std::span<const std::chrono::nanoseconds> deadlines);

// `capacity` is what rates with an x are multiples of. A step of a replay lasts as long as its calls take. Without
// rates, a replay has one step with its recorded rate; InvalidArgument if all its calls come at one instant.
absl::StatusOr<std::vector<LoadStep>> MakeSteps(const LoadOptions& options, const Traffic& traffic, double capacity);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_TRAFFIC_H_
