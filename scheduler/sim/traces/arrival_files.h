// Requests from text files, and back into one, so that a workload can be replayed exactly.
//
// Lines, cells and times are as base/arrivals/arrival_times.h says.
// Errors: NotFound if a file cannot be opened, Unavailable if reading or writing breaks off, else InvalidArgument with
// the file, the line, the value and what is allowed.
#ifndef ANYBIT_SCHEDULER_SIM_TRACES_ARRIVAL_FILES_H_
#define ANYBIT_SCHEDULER_SIM_TRACES_ARRIVAL_FILES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time.h"
#include "scheduler/sim/traces/offered_request.h"

namespace anybit::scheduler::sim {

// A header line `id,arrival_us,deadline_us,min_accuracy`, which columns `sla_class` and `tenant` may follow, then one
// request a line:
//   id            a whole number, unique in the file
//   arrival_us    an absolute instant in microseconds
//   deadline_us   an absolute instant on the same clock, at or after the arrival; empty: none
//   min_accuracy  0 to 1; empty: 0
//   sla_class, tenant   0 to 255; empty: 0
// Returns the requests by (arrival, line); their places count the lines with a request from 0.
absl::StatusOr<std::vector<OfferedRequest>> ReadRequests(const std::string& path);

// The same format, in the order given; reading it back gives equal requests. The columns sla_class and tenant are
// written only if a request has one that is not 0. InvalidArgument, before anything is written, for requests that
// ReadRequests would refuse.
absl::Status WriteRequests(const std::string& path, std::span<const OfferedRequest> requests);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_TRACES_ARRIVAL_FILES_H_
