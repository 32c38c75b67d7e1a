// Recorded arrivals from text files, so that a workload can be replayed.
//
// Files are read line by line; a line may end in CR LF, and blank lines are skipped. Cells are separated by commas and
// never quoted. Times are decimal fractions of at most 292 years from MonoTime(), read exactly and rounded to
// nanoseconds; text in exponent notation goes through a double.
// Errors: NotFound if a file cannot be opened, Unavailable if reading breaks off, else InvalidArgument with the file,
// the line, the value and what is allowed.
#ifndef ANYBIT_BASE_ARRIVALS_ARRIVAL_TIMES_H_
#define ANYBIT_BASE_ARRIVALS_ARRIVAL_TIMES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"

namespace anybit {

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

// What a program's flags --arrival_times and --azure (files joined by commas) name; one of them is empty.
absl::StatusOr<std::vector<MonoTime>> ReadRecording(const std::string& arrival_times, absl::string_view azure,
                                                    const AzureOptions& azure_part);

// Moves the ascending instants apart or together until their mean rate is `per_second`; the first one stays.
void StretchTo(double per_second, std::vector<MonoTime>& arrivals);

}  // namespace anybit

#endif  // ANYBIT_BASE_ARRIVALS_ARRIVAL_TIMES_H_
