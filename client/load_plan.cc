#include "client/load_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/arrivals/arrival_times.h"
#include "base/arrivals/workloads.h"
#include "base/random.h"

namespace anybit::client {
namespace {

// At some 100 bytes a call and its outcome: 2 GB.
constexpr double kMaxCalls = 20e6;

// The kind into whose part of the weights' sum the share `unit`, in [0, 1), falls.
int KindAt(double unit, std::span<const double> weights) {
  double rest = unit * std::accumulate(weights.begin(), weights.end(), 0.0);
  size_t kind = 0;
  while (kind + 1 < weights.size() && rest >= weights[kind]) rest -= weights[kind++];
  return static_cast<int>(kind);
}

// Instants of one step, from MonoTime() on.
absl::StatusOr<std::vector<MonoTime>> StepArrivals(const LoadStep& step, const Traffic& traffic, uint64_t seed) {
  if (!traffic.recorded.empty()) {
    std::vector<MonoTime> arrivals = traffic.recorded;
    StretchTo(step.calls_per_second, arrivals);
    const Duration begin = arrivals.front().time_since_epoch();
    for (MonoTime& arrival : arrivals) arrival -= begin;
    return arrivals;
  }
  const double seconds = ToSeconds(step.duration);
  const int64_t count = std::max<int64_t>(1, std::llround(step.calls_per_second * seconds));
  return MakeArrivals(traffic.workload, {.count = static_cast<int>(count),
                                         .per_second = static_cast<double>(count) / seconds,
                                         .objective = traffic.time_unit,
                                         .seed = seed});
}

absl::Status CheckSize(std::span<const LoadStep> steps, const Traffic& traffic) {
  double calls = 0;
  for (const LoadStep& step : steps) {
    const double seconds = ToSeconds(step.duration);
    if (!(step.calls_per_second > 0) || !(seconds > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a step of ", step.calls_per_second, " calls/s for ", seconds, " s is no load"));
    }
    calls += traffic.recorded.empty() ? step.calls_per_second * seconds : static_cast<double>(traffic.recorded.size());
  }
  if (calls > kMaxCalls) {
    return absl::InvalidArgumentError(absl::StrCat("a load of ", calls, " calls exceeds ", kMaxCalls));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<PlannedCall>> PlanLoad(std::span<const LoadStep> steps, const Traffic& traffic, int images,
                                                  uint64_t seed, std::span<const double> weights) {
  if (absl::Status status = CheckSize(steps, traffic); !status.ok()) return status;
  // Each of its own, so that the same seed sends the same images at the same times, whatever is mixed.
  std::mt19937_64 random_image(seed);
  std::mt19937_64 random_kind(MixSeed(seed, 1));
  std::vector<PlannedCall> plan;
  std::chrono::nanoseconds begin{0};
  for (size_t s = 0; s < steps.size(); ++s) {
    const absl::StatusOr<std::vector<MonoTime>> arrivals = StepArrivals(steps[s], traffic, MixSeed(seed, 2 + s));
    if (!arrivals.ok()) return arrivals.status();
    for (const MonoTime arrival : *arrivals) {
      plan.push_back({.at = begin + arrival.time_since_epoch(),
                      .step = static_cast<int>(s),
                      .image = static_cast<int>(UniformUnit(random_image) * images),
                      .kind = weights.size() < 2 ? 0 : KindAt(UniformUnit(random_kind), weights)});
    }
    begin += steps[s].duration;
  }
  return plan;
}

absl::StatusOr<std::vector<double>> ParseRates(const std::string& text, double capacity) {
  std::vector<double> rates;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const bool relative = !part.empty() && part.back() == 'x';
    if (relative) part.remove_suffix(1);
    double number;
    if (!absl::SimpleAtod(part, &number) || !(number > 0) || std::isinf(number)) {
      return absl::InvalidArgumentError(
          absl::StrCat("rate '", part, "' in '", text, "' is not a positive number, with an x or without"));
    }
    rates.push_back(relative ? number * capacity : number);
  }
  return rates;
}

bool NeedsCapacity(const std::string& text) { return text.find('x') != std::string::npos; }

}  // namespace anybit::client
