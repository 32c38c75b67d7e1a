// Finds an unknown policy before anything runs for long.
#ifndef ANYBIT_SCHEDULER_SIM_CHECK_POLICIES_H_
#define ANYBIT_SCHEDULER_SIM_CHECK_POLICIES_H_

#include <span>
#include <string>

#include "absl/status/status.h"
#include "scheduler/latency/profile.h"
#include "scheduler/policies/registry.h"

namespace anybit::scheduler::sim {

// The error of the first policy that cannot be made for `profile`.
inline absl::Status CheckPolicies(std::span<const std::string> policies, const Profile& profile) {
  for (const std::string& policy : policies) {
    if (absl::Status status = MakePolicy(policy, profile).status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_CHECK_POLICIES_H_
