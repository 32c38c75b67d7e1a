#include "scheduler/policies/registry.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "scheduler/policies/accuracy_scaling.h"
#include "scheduler/policies/aimd.h"
#include "scheduler/policies/anybit/anybit.h"
#include "scheduler/policies/anybit/anybit_options.h"
#include "scheduler/policies/cheapest.h"
#include "scheduler/policies/deferred.h"
#include "scheduler/policies/early_drop.h"
#include "scheduler/policies/fixed.h"
#include "scheduler/policies/max_accuracy.h"
#include "scheduler/policies/max_batch.h"
#include "scheduler/policies/slackfit.h"

namespace anybit::scheduler {
namespace {

// The argument that may follow a policy's name and a colon.
enum class Takes { kNothing, kPointAlways, kPointOrNothing, kBucketsOrNothing, kConstantOrNothing };

struct Arguments {
  std::string name;  // of the policy, with its argument
  std::optional<PointId> point;
  std::optional<int> buckets;
  std::optional<AnybitOptions> constants;
};

struct Row {
  std::string_view name;
  Takes takes = Takes::kNothing;
  std::unique_ptr<SchedulingPolicy> (*make)(const Profile& profile, const Arguments& arguments) = nullptr;
};

// Every policy, one row each.
constexpr Row kPolicies[] = {
    {.name = "anybit",
     .takes = Takes::kConstantOrNothing,
     .make = [](const Profile&, const Arguments& arguments) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<Anybit>(arguments.constants.value_or(AnybitOptions()), arguments.name);
     }},
    {.name = "slackfit",
     .takes = Takes::kBucketsOrNothing,
     .make = [](const Profile& profile, const Arguments& arguments) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<SlackFit>(profile, arguments.buckets.value_or(SlackFit::kDefaultBuckets));
     }},
    {.name = "fixed",
     .takes = Takes::kPointAlways,
     .make = [](const Profile& profile, const Arguments& arguments) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<Fixed>(*arguments.point, profile.points);
     }},
    {.name = "cheapest",
     .make = [](const Profile&, const Arguments&) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<Cheapest>();
     }},
    {.name = "max-batch",
     .make = [](const Profile&, const Arguments&) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<MaxBatch>();
     }},
    {.name = "max-accuracy",
     .make = [](const Profile&, const Arguments&) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<MaxAccuracy>();
     }},
    {.name = "slackfit-literal",
     .takes = Takes::kBucketsOrNothing,
     .make = [](const Profile& profile, const Arguments& arguments) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<SlackFit>(profile, arguments.buckets.value_or(SlackFit::kDefaultLiteralBuckets),
                                         SlackFit::Variant::kLiteral);
     }},
    {.name = "aimd",
     .takes = Takes::kPointOrNothing,
     .make = [](const Profile& profile, const Arguments& arguments) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<Aimd>(arguments.point, profile.points);
     }},
    {.name = "early-drop",
     .takes = Takes::kPointOrNothing,
     .make = [](const Profile& profile, const Arguments& arguments) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<EarlyDrop>(arguments.point, profile.points);
     }},
    {.name = "deferred",
     .takes = Takes::kPointOrNothing,
     .make = [](const Profile& profile, const Arguments& arguments) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<Deferred>(arguments.point, profile.points);
     }},
    {.name = "accuracy-scaling",
     .make = [](const Profile&, const Arguments&) -> std::unique_ptr<SchedulingPolicy> {
       return std::make_unique<AccuracyScaling>();
     }},
};

std::optional<PointId> FindPoint(const PointTable& points, std::string_view name) {
  for (size_t p = 0; p < points.size(); ++p) {
    if (points[p].name == name) return ToPointId(static_cast<int>(p));
  }
  return std::nullopt;
}

std::optional<int> ParseBuckets(std::string_view text) {
  int buckets = 0;
  const bool plain = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (!plain || !absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &buckets)) return std::nullopt;
  if (buckets < 1 || buckets > SlackFit::kMaxBuckets) return std::nullopt;
  return buckets;
}

// Reads `text`, what follows the colon (nullopt: there is none), into `arguments`; false if `row` does not take it.
bool Parse(const Row& row, std::optional<std::string_view> text, const PointTable& points, Arguments& arguments) {
  if (!text) return row.takes != Takes::kPointAlways;
  switch (row.takes) {
    case Takes::kNothing: return false;
    case Takes::kPointAlways:
    case Takes::kPointOrNothing: arguments.point = FindPoint(points, *text); return arguments.point.has_value();
    case Takes::kBucketsOrNothing: arguments.buckets = ParseBuckets(*text); return arguments.buckets.has_value();
    case Takes::kConstantOrNothing: arguments.constants = WithOption(*text); return arguments.constants.has_value();
  }
  return false;
}

// "aimd:<point>, slackfit:<1..4096 buckets>, ...": the forms that PolicyNames leaves out.
std::vector<std::string> ArgumentForms() {
  std::vector<std::string> forms;
  for (const Row& row : kPolicies) {
    if (row.takes == Takes::kPointOrNothing) forms.push_back(absl::StrCat(std::string(row.name), ":<point>"));
    if (row.takes == Takes::kBucketsOrNothing) {
      forms.push_back(absl::StrCat(std::string(row.name), ":<1..", SlackFit::kMaxBuckets, " buckets>"));
    }
    if (row.takes == Takes::kConstantOrNothing) {
      forms.push_back(absl::StrCat(std::string(row.name), ":<constant>=<value>"));
    }
  }
  return forms;
}

}  // namespace

std::vector<std::string> PolicyNames(const PointTable& points) {
  std::vector<std::string> names;
  for (const Row& row : kPolicies) {
    if (row.takes != Takes::kPointAlways) {
      names.emplace_back(row.name);
      continue;
    }
    for (const PointInfo& point : points) names.push_back(absl::StrCat(std::string(row.name), ":", point.name));
  }
  return names;
}

absl::StatusOr<std::unique_ptr<SchedulingPolicy>> MakePolicy(std::string_view name, const Profile& profile) {
  const size_t colon = name.find(':');
  std::optional<std::string_view> text;
  if (colon != std::string_view::npos) text = name.substr(colon + 1);
  for (const Row& row : kPolicies) {
    if (row.name != name.substr(0, colon)) continue;
    if (Arguments arguments{.name = std::string(name)}; Parse(row, text, profile.points, arguments))
      return row.make(profile, arguments);
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no policy \"", std::string(name), "\"; there are ",
                                                 absl::StrJoin(PolicyNames(profile.points), ", "), "; and ",
                                                 absl::StrJoin(ArgumentForms(), ", ")));
}

}  // namespace anybit::scheduler
