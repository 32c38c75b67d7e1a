#include "scheduler/latency/profile.h"

#include <cstddef>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace anybit::scheduler {

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
  if (profile.latency.size() != profile.points.size()) {
    return absl::InvalidArgumentError(absl::StrCat("profile has latencies of ", profile.latency.size(),
                                                   " operating points but ", profile.points.size(), " points"));
  }
  for (size_t p = 0; p < profile.points.size(); ++p) {
    const std::string& name = profile.points[p].name;
    if (profile.latency[p].size() != static_cast<size_t>(profile.max_batch)) {
      return absl::InvalidArgumentError(absl::StrCat("operating point ", name, " has ", profile.latency[p].size(),
                                                     " latencies, max batch is ", profile.max_batch));
    }
    for (size_t b = 0; b < profile.latency[p].size(); ++b) {
      if (profile.latency[p][b] <= Duration::zero()) {
        return absl::InvalidArgumentError(absl::StrCat("latency of ", name, " at ", b + 1, " rows is ",
                                                       profile.latency[p][b].count(), " ns, must be more than 0"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace anybit::scheduler
