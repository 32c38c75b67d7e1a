// When an open-loop load sends its calls: a plan, made before the first one is sent.
//
// Open loop: a slow server does not slow the sender down, so latency counts from the planned instant. The same seed
// gives the same plan with every C++ library.
#ifndef ANYBIT_CLIENT_LOAD_PLAN_H_
#define ANYBIT_CLIENT_LOAD_PLAN_H_

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time.h"

namespace anybit::client {

// A stretch of load with one mean rate.
struct LoadStep {
  double calls_per_second = 0;
  std::chrono::nanoseconds duration{0};
};

// When the calls of a step come, at whatever mean rate.
struct Traffic {
  std::string workload = "poisson";                       // a name of base/arrivals/workloads.h
  std::chrono::nanoseconds time_unit = kDefaultTimeUnit;  // what workloads.h calls the objective; above 0
  // If there are any, each step replays all of these ascending instants in place of the workload.
  std::vector<MonoTime> recorded;

  static constexpr std::chrono::milliseconds kDefaultTimeUnit{50};
};

struct PlannedCall {
  std::chrono::nanoseconds at{0};  // since the load's start
  int step = 0;
  int image = 0;
  int kind = 0;
};

// The calls in order of time; images are drawn evenly from 0..images-1, images >= 1, kinds from 0..weights-1 in
// proportion to `weights`, which are positive; without any, all calls are of kind 0. A step has as many calls as its
// rate and duration give, at least one; of a replay, all. InvalidArgument for rates or durations that are not positive,
// for more than 20 million calls, and for what MakeArrivals of workloads.h refuses.
absl::StatusOr<std::vector<PlannedCall>> PlanLoad(std::span<const LoadStep> steps, const Traffic& traffic, int images,
                                                  uint64_t seed, std::span<const double> weights = {});

// Rates from text such as "0.5x,1x,200": calls per second, or with an x multiples of `capacity`.
absl::StatusOr<std::vector<double>> ParseRates(const std::string& text, double capacity);

// Whether ParseRates(text) depends on the capacity.
bool NeedsCapacity(const std::string& text);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_PLAN_H_
