// Requests and arrival times from text files, and requests back into one, so that a workload can be replayed exactly.
//
// Files are read line by line; a line may end in CR LF, and blank lines are skipped. Cells are separated by commas and
// never quoted. Times are decimal fractions of at most 292 years from MonoTime(), read exactly and rounded to
// nanoseconds; text in exponent notation goes through a double.
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

// One time in milliseconds per line, in any order. Returns them ascending.
absl::StatusOr<std::vector<MonoTime>> ReadArrivalTimes(const std::string& path);

// The part of the trace to read. Minutes count from 0 over all files.
struct AzureOptions {
  int first_minute = 0;
  int minutes = 60;
  uint64_t seed = 0;  // of the instants within a minute
};

// Invocation counts in the schema of the Azure Functions trace of 2019: a file a day, in the order given, with the
// header `HashOwner,HashApp,HashFunction,Trigger,1,2,...,1440` and a line for each function, a count for each minute.
// Invocations by a `timer` come at the start of their minute, all others at a uniform instant within it.
// Returns ascending instants, MonoTime() being the start of first_minute. Counts outside the minutes asked for are not
// looked at. InvalidArgument also if the files end before the last minute asked for, and for more than 10^8
// invocations.
absl::StatusOr<std::vector<MonoTime>> ReadAzureInvocations(std::span<const std::string> paths,
                                                           const AzureOptions& options);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_TRACES_ARRIVAL_FILES_H_
