#include "client/load_traffic.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/arrivals/arrival_times.h"

namespace anybit::client {
namespace {

using std::chrono::nanoseconds;

nanoseconds Seconds(double seconds) { return nanoseconds(static_cast<int64_t>(seconds * 1e9)); }

}  // namespace

absl::StatusOr<Traffic> MakeTraffic(const LoadOptions& options, std::span<const nanoseconds> deadlines) {
  Traffic traffic{.workload = options.workload};
  nanoseconds shortest = nanoseconds::max();
  for (const nanoseconds deadline : deadlines) {
    if (deadline.count() > 0) shortest = std::min(shortest, deadline);
  }
  if (shortest != nanoseconds::max()) traffic.time_unit = shortest;
  if (options.time_unit) traffic.time_unit = *options.time_unit;
  if (!options.replays()) return traffic;
  absl::StatusOr<std::vector<MonoTime>> recorded =
      ReadRecording(options.arrival_times, options.azure, options.azure_part);
  if (!recorded.ok()) return recorded.status();
  if (recorded->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(options.arrival_times, options.azure, " has no arrival to replay"));
  }
  traffic.recorded = *std::move(recorded);
  return traffic;
}

absl::StatusOr<std::vector<LoadStep>> MakeSteps(const LoadOptions& options, const Traffic& traffic, double capacity) {
  const auto calls = static_cast<double>(traffic.recorded.size());
  if (options.steps.empty()) {
    const double seconds = ToSeconds(traffic.recorded.back() - traffic.recorded.front());
    if (!(seconds > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("all ", calls, " calls of the replay come at one instant; give a rate by --steps"));
    }
    const double rate = (calls - 1) / seconds;
    return std::vector<LoadStep>{{.calls_per_second = rate, .duration = Seconds(calls / rate)}};
  }
  const absl::StatusOr<std::vector<double>> rates = ParseRates(options.steps, capacity);
  if (!rates.ok()) return rates.status();
  std::vector<LoadStep> steps;
  for (const double rate : *rates) {
    steps.push_back({.calls_per_second = rate,
                     .duration = Seconds(traffic.recorded.empty() ? options.step_seconds : calls / rate)});
  }
  return steps;
}

}  // namespace anybit::client
