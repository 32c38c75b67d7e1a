// From a policy's name, as on a command line, to the policy.
#ifndef ANYBIT_SCHEDULER_POLICIES_REGISTRY_H_
#define ANYBIT_SCHEDULER_POLICIES_REGISTRY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduler/latency/profile.h"
#include "scheduler/policy.h"

namespace anybit::scheduler {

// Every policy by name, for these points: "slackfit", "fixed:fp32", "fixed:w8a8", ... MakePolicy also accepts arguments
// that these leave to their defaults: "slackfit:8" (buckets), "early-drop:w8a8" (point), "anybit:horizon=1" (a constant
// of AnybitOptions, for measurements).
std::vector<std::string> PolicyNames(const PointTable& points);

// InvalidArgument, listing the names and forms in one line, if there is no policy of that name. `profile` is valid; no
// reference is kept.
absl::StatusOr<std::unique_ptr<SchedulingPolicy>> MakePolicy(std::string_view name, const Profile& profile);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_REGISTRY_H_
