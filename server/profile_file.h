// A profile as a JSON file, so that a server can start with latencies measured before, and people can read them.
//
// {"max_batch": 2, "points": [{"name": "w8a8", "accuracy": 0.92, "latency_us": [850.5, 1210]}]}: one latency in
// microseconds for each number of rows from 1 to max_batch, to the nanosecond. Other members are ignored.
#ifndef ANYBIT_SERVER_PROFILE_FILE_H_
#define ANYBIT_SERVER_PROFILE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduler/profile.h"

namespace anybit {

// `profile` is valid.
std::string ProfileToJson(const Profile& profile);

// InvalidArgument, naming the member, for what is not such JSON or not a valid profile.
absl::StatusOr<Profile> ProfileFromJson(const std::string& json);

// NotFound if the file cannot be read; otherwise as ProfileFromJson, with the path in front.
absl::StatusOr<Profile> ReadProfile(const std::string& path);

// Unavailable if the file cannot be written.
absl::Status WriteProfile(const Profile& profile, const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_SERVER_PROFILE_FILE_H_
