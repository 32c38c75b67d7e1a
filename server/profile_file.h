// What was measured of a network on this machine, as a JSON file: a server can start with it, and people can read it.
//
// {"max_batch": 2, "points": [{"name": "w8a8", "accuracy": 0.92, "latency_us": [850.5, 1210]}],
//  "kernels": {"isa": "avx2", "layers": [{"point": "w8a8", "node": "stem", "algorithms": ["direct_words", ...]}]}}
// One latency in microseconds for each number of rows from 1 to max_batch, to the nanosecond; one algorithm for each of
// kChoiceRows. "kernels" may be missing. Other members are ignored.
#ifndef ANYBIT_SERVER_PROFILE_FILE_H_
#define ANYBIT_SERVER_PROFILE_FILE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/kernel_choices.h"
#include "scheduler/profile.h"

namespace anybit {

struct MeasuredProfile {
  Profile latencies;
  std::optional<KernelChoices> kernels;   // what the latencies were measured with; none: a network without a choice
};

// The latencies are valid.
std::string ProfileToJson(const MeasuredProfile& profile);

// InvalidArgument, naming the member, for what is not such JSON or not a valid profile. Whether the kernels fit a
// network is for the network to say.
absl::StatusOr<MeasuredProfile> ProfileFromJson(const std::string& json);

// NotFound if the file cannot be read; otherwise as ProfileFromJson, with the path in front.
absl::StatusOr<MeasuredProfile> ReadProfile(const std::string& path);

// Unavailable if the file cannot be written.
absl::Status WriteProfile(const MeasuredProfile& profile, const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_SERVER_PROFILE_FILE_H_
