#include "scheduler/policies/registry.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "scheduler/policies/fixed.h"
#include "scheduler/policies/slackfit.h"

namespace anybit {
namespace {

struct Row {
  std::string_view name;
  bool for_each_point = false;   // "name:<point>" for every operating point, rather than "name"
  std::unique_ptr<SchedulingPolicy> (*make)(const Profile& profile, PointId point) = nullptr;
};

// Every policy, one row each.
constexpr Row kPolicies[] = {
    {.name = "slackfit",
     .make = [](const Profile& profile, PointId) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<SlackFit>(profile);
     }},
    {.name = "fixed",
     .for_each_point = true,
     .make = [](const Profile& profile, PointId point) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<Fixed>(point, profile.points);
     }},
};

struct Choice {
  std::string name;
  const Row* row = nullptr;
  PointId point{};   // for rows with one policy for each
};

std::vector<Choice> Choices(const PointTable& points) {
  std::vector<Choice> choices;
  for (const Row& row : kPolicies) {
    if (!row.for_each_point) {
      choices.push_back({.name = std::string(row.name), .row = &row});
      continue;
    }
    for (size_t p = 0; p < points.size(); ++p) {
      choices.push_back({.name = absl::StrCat(std::string(row.name), ":", points[p].name),
                         .row = &row,
                         .point = ToPointId(static_cast<int>(p))});
    }
  }
  return choices;
}

}  // namespace

std::vector<std::string> PolicyNames(const PointTable& points) {
  std::vector<std::string> names;
  for (Choice& choice : Choices(points)) names.push_back(std::move(choice.name));
  return names;
}

absl::StatusOr<std::unique_ptr<SchedulingPolicy>> MakePolicy(std::string_view name, const Profile& profile) {
  for (const Choice& choice : Choices(profile.points)) {
    if (choice.name == name) return choice.row->make(profile, choice.point);
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no policy \"", std::string(name), "\"; there are ",
                                                 absl::StrJoin(PolicyNames(profile.points), ", ")));
}

}  // namespace anybit
