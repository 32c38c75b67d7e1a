#include "scheduler/policies/registry.h"

#include <cstddef>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/policies/fixed.h"
#include "scheduler/policies/slackfit.h"

namespace anybit {
namespace {

struct Parsed {
  PolicyKind kind{};
  PointId point{};   // of kFixed
};

std::optional<Parsed> Parse(std::string_view name, const PointTable& points) {
  if (name == "slackfit") return Parsed{.kind = PolicyKind::kSlackFit};
  for (size_t p = 0; p < points.size(); ++p) {
    if (name == absl::StrCat("fixed:", points[p].name)) {
      return Parsed{.kind = PolicyKind::kFixed, .point = ToPointId(static_cast<int>(p))};
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> PolicyNames(const PointTable& points) {
  std::vector<std::string> names = {"slackfit"};
  for (const PointInfo& point : points) names.push_back(absl::StrCat("fixed:", point.name));
  return names;
}

absl::StatusOr<std::unique_ptr<SchedulingPolicy>> MakePolicy(std::string_view name, const Profile& profile) {
  const std::optional<Parsed> parsed = Parse(name, profile.points);
  if (!parsed) {
    return absl::InvalidArgumentError(absl::StrCat("there is no policy \"", std::string(name), "\"; there are ",
                                                   absl::StrJoin(PolicyNames(profile.points), ", ")));
  }
  std::unique_ptr<SchedulingPolicy> policy;
  switch (parsed->kind) {
    case PolicyKind::kFixed:
      policy = std::make_unique<Fixed>(parsed->point, profile.points);
      break;
    case PolicyKind::kSlackFit:
      policy = std::make_unique<SlackFit>(profile);
      break;
  }
  return policy;
}

}  // namespace anybit
