// What was measured of a network on this machine, as a JSON file: a server can start with it, and people can read it.
//
// {"max_batch": 2, "points": [{"name": "w8a8", "accuracy": 0.92, "latency_us": [850.5, 1210]}],
//  "kernels": {"isa": "avx2", "layers": [{"point": "w8a8", "node": "stem", "algorithms": ["direct_words", ...]}]},
//  "fingerprint": {"network": "fashion version 1, checksum 0a1b2c3d", "isa": "avx2", "processor": "...",
//                  "threads_per_slot": 1}}
// One latency in microseconds for each number of rows from 1 to max_batch, to the nanosecond; one algorithm for each of
// kChoiceRows. "kernels" and "fingerprint" may be missing. Other members are ignored.
#ifndef ANYBIT_SERVER_PROFILE_FILE_H_
#define ANYBIT_SERVER_PROFILE_FILE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/kernel_choices.h"
#include "scheduler/latency/profile.h"

namespace anybit {

// What latencies depend on. An empty text is not known, and differs from none.
struct ProfileFingerprint {
  std::string network;
  std::string isa;
  std::string processor;
  int threads_per_slot = 0;

  friend bool operator==(const ProfileFingerprint&, const ProfileFingerprint&) = default;
};

struct MeasuredProfile {
  Profile latencies;
  std::optional<KernelChoices> kernels;  // what the latencies were measured with; none: a network without a choice
  std::optional<ProfileFingerprint> fingerprint;
};

// Why a profile that was measured under `stored` is none for `here`; "" if it is one. Of the network, and of the rest.
std::string NetworkDifference(const ProfileFingerprint& stored, const ProfileFingerprint& here);
std::string MachineDifference(const ProfileFingerprint& stored, const ProfileFingerprint& here);

// The latencies are valid.
std::string ProfileToJson(const MeasuredProfile& profile);

// InvalidArgument, naming the member, for what is not such JSON or not a valid profile. Whether the kernels fit a
// network is for the network to say.
absl::StatusOr<MeasuredProfile> ProfileFromJson(const std::string& json);

// NotFound if the file cannot be read; otherwise as ProfileFromJson, with the path in front.
absl::StatusOr<MeasuredProfile> ReadProfile(const std::string& path);

// Writes beside `path`, then renames: a reader sees the old file or the new one. Unavailable, with the reason, if the
// file cannot be written.
absl::Status WriteProfile(const MeasuredProfile& profile, const std::string& path);

// What WriteProfile would answer, as far as it can be known before; nothing is left behind.
absl::Status CanWriteProfile(const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_SERVER_PROFILE_FILE_H_
