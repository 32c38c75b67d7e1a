#include "scheduler/latency/profile.h"

#include <cstddef>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace anybit::scheduler {

namespace {

// One latency above 0 for each point and number of rows. `state`: "" or " at rest".
absl::Status CheckLatencies(const Profile& profile, const std::vector<std::vector<Duration>>& latency,
                            const char* state) {
  if (latency.size() != profile.points.size()) {
    return absl::InvalidArgumentError(absl::StrCat("profile has latencies", state, " of ", latency.size(),
                                                   " operating points but ", profile.points.size(), " points"));
  }
  for (size_t p = 0; p < profile.points.size(); ++p) {
    const std::string& name = profile.points[p].name;
    if (latency[p].size() != static_cast<size_t>(profile.max_batch)) {
      return absl::InvalidArgumentError(absl::StrCat("operating point ", name, " has ", latency[p].size(), " latencies",
                                                     state, ", max batch is ", profile.max_batch));
    }
    for (size_t b = 0; b < latency[p].size(); ++b) {
      if (latency[p][b] <= Duration::zero()) {
        return absl::InvalidArgumentError(absl::StrCat("latency of ", name, " at ", b + 1, " rows", state, " is ",
                                                       latency[p][b].count(), " ns, must be more than 0"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateProfile(const Profile& profile) {
  if (profile.points.empty() || profile.points.size() > static_cast<size_t>(kMaxPoints)) {
    return absl::InvalidArgumentError(
        absl::StrCat("profile has ", profile.points.size(), " operating points, allowed are 1 to ", kMaxPoints));
  }
  std::set<std::string> names;
  for (const PointInfo& point : profile.points) {
    if (point.name.empty()) return absl::InvalidArgumentError("profile has an operating point without a name");
    if (!names.insert(point.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("profile has operating point ", point.name, " twice"));
    }
    // Written so that NaN fails too.
    if (!(point.accuracy >= 0.0 && point.accuracy <= 1.0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("operating point ", point.name, " has accuracy ", point.accuracy, ", allowed are 0 to 1"));
    }
  }
  if (profile.max_batch < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("profile has max batch ", profile.max_batch, ", allowed are 1 and more"));
  }
  if (absl::Status status = CheckLatencies(profile, profile.latency, ""); !status.ok()) return status;
  return profile.rested.empty() ? absl::OkStatus() : CheckLatencies(profile, profile.rested, " at rest");
}

}  // namespace anybit::scheduler
