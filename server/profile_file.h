// What was measured of a network on this machine: the scheduler's profile (scheduler/latency/profile_json.h), and in
// two more members of its JSON the kernels and the machine that it was measured with.
//
// {"max_batch": ..., "points": [...],
//  "kernels": {"isa": "avx2", "layers": [{"point": "w8a8", "node": "stem", "algorithms": ["direct_words", ...]}]},
//  "fingerprint": {"network": "fashion version 1, checksum 0a1b2c3d", "isa": "avx2", "processor": "...",
//                  "threads_per_slot": 1}}
// One algorithm for each of kChoiceRows. "kernels" and "fingerprint" may be missing. Other members are ignored.
#ifndef ANYBIT_SERVER_PROFILE_FILE_H_
#define ANYBIT_SERVER_PROFILE_FILE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/kernel_choices.h"
#include "scheduler/latency/profile.h"

namespace anybit::server {

// The facts that latencies depend on. An empty text is an unknown fact and matches every value.
struct ProfileFingerprint {
  std::string network;
  std::string isa;
  std::string processor;
  int threads_per_slot = 0;

  friend bool operator==(const ProfileFingerprint&, const ProfileFingerprint&) = default;
};

struct MeasuredProfile {
  scheduler::Profile latencies;
  std::optional<model::KernelChoices>
      kernels;  // what the latencies were measured with; none: a network without a choice
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

// As ReplaceFile. Unavailable, naming the file and the reason, if it cannot be written.
absl::Status WriteProfile(const MeasuredProfile& profile, const std::string& path);

// The error of WriteProfile, as far as it can be known before; nothing is left behind.
absl::Status CanWriteProfile(const std::string& path);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PROFILE_FILE_H_
