// A profile as JSON: a server saves it, the simulator and people read it.
//
// {"max_batch": 2, "points": [{"name": "w8a8", "accuracy": 0.92, "latency_us": [850.5, 1210], "rested_us": [990, 1350]}
// ]}
// One latency in microseconds for each number of rows from 1 to max_batch, to the nanosecond. `rested_us`, of batches
// at rest, is there for all points or for none. Other members are ignored: the server adds some of its own
// (server/profile_file.h).
#ifndef ANYBIT_SCHEDULER_LATENCY_PROFILE_JSON_H_
#define ANYBIT_SCHEDULER_LATENCY_PROFILE_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "scheduler/latency/profile.h"

namespace anybit::scheduler {

// `profile` is valid. `more_members`, such as `"note": 1`, are put behind the profile's own.
std::string WriteProfileJson(const Profile& profile, absl::string_view more_members = "");

// A valid profile. InvalidArgument, naming the member, for anything else.
absl::StatusOr<Profile> ProfileFromJsonValue(const Json& root);

// The profile in a file. NotFound if the file cannot be read; otherwise InvalidArgument, with the path in front.
absl::StatusOr<Profile> ReadProfileJson(const std::string& path);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_PROFILE_JSON_H_
