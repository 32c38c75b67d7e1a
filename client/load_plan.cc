#include "client/load_plan.h"

#include <numeric>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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

}  // namespace

absl::StatusOr<std::vector<PlannedCall>> PlanLoad(std::span<const LoadStep> steps, Arrivals arrivals, int images,
                                                  uint64_t seed, std::span<const double> weights) {
  double expected_calls = 0;
  for (const LoadStep& step : steps) {
    const double seconds = std::chrono::duration<double>(step.duration).count();
    if (!(step.calls_per_second > 0) || !(seconds > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a step of ", step.calls_per_second, " calls/s for ", seconds, " s is no load"));
    }
    expected_calls += step.calls_per_second * seconds;
  }
  if (expected_calls > kMaxCalls) {
    return absl::InvalidArgumentError(absl::StrCat("a load of ", expected_calls, " calls exceeds ", kMaxCalls));
  }

  std::mt19937_64 random(seed);
  // Of its own, so that the same seed sends the same images at the same times, whatever is mixed.
  std::mt19937_64 random_kind(MixSeed(seed, 1));
  std::vector<PlannedCall> plan;
  plan.reserve(static_cast<size_t>(expected_calls * 1.1) + 16);
  std::chrono::nanoseconds begin{0};
  for (size_t s = 0; s < steps.size(); ++s) {
    const double gap = 1e9 / steps[s].calls_per_second;
    const double end = static_cast<double>(steps[s].duration.count());
    // Offsets are summed in floating point and rounded one by one, so that rounding does not add up.
    double offset = arrivals == Arrivals::kPoisson ? gap * Exponential(random) : 0;
    while (offset < end) {
      plan.push_back({.at = begin + std::chrono::nanoseconds(static_cast<int64_t>(offset)),
                      .step = static_cast<int>(s),
                      .image = static_cast<int>(UniformUnit(random) * images),
                      .kind = weights.size() < 2 ? 0 : KindAt(UniformUnit(random_kind), weights)});
      offset += arrivals == Arrivals::kPoisson ? gap * Exponential(random) : gap;
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
