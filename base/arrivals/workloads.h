// The named arrival processes on which policies are compared: seeded, open loop, exactly `count` requests each.
//
// A trace has the length T = count / per_second, so that its mean rate is the one asked for and two seeds offer the
// same load. To that end renewal processes (gamma...) are stretched until count + 1 gaps fill T, and Poisson processes
// are taken given that they have `count` arrivals in T, whatever their rate's course. Below, rates are relative to
// per_second. The processes' own time scales are objectives: with objective and T ten times as long, every instant is
// ten times as late, up to the rounding to nanoseconds.
//
//   constant      equal gaps, the first request at once
//   poisson       rate 1
//   gamma2,4,8    independent gaps, gamma distributed with squared coefficient of variation (CV2) 2, 4, 8
//   bursty2,4,8   equal gaps plus independent gamma gaps of CV2 2, 4, 8; their rates are as 1500 to 2950, 4900, 5550
//                 (the bursty traces of SuperServe)
//   acceleration  Poisson: 0.5 in the first quarter of T, rising linearly in the middle half, 1.5 in the last quarter
//   step          Poisson: 0.5 in the first half of T, 1.5 in the second
//   flash         Poisson: a base rate, and crowds that jump to 5 times the base at once, stay for 5 objectives and
//                 fall back exponentially with a time constant of 5 objectives (cut off after 6 of these). From one
//                 crowd's start to the next 50 to 150 objectives, uniform; the first within 100 objectives and the
//                 first half of T, so that a trace has at least one. The base is what makes the mean rate 1, about 0.7
//   mmpp          Poisson of two rates, low and four times that, with exponential stays of mean 20 and 10 objectives;
//                 the start is stationary. The rates are what makes the mean rate 1: about 0.5 and 2
//   diurnal       Poisson: 1 + 0.8 sin(2 pi t / (T / 4))
//   azure         in the likeness of the Azure Functions trace: 300 functions, recorded by the minute, where a minute
//                 is about 20 objectives (T is a whole number of them). A fifth are timers that fire every 1, 5 or 15
//                 minutes, at the minute's start, as long as timers make no more than 5 % of the requests. The others'
//                 popularity is log-normal (sigma 2): steady ones; bursty ones, active in a tenth of the minutes, 2 in
//                 a row in the mean, at five times their popularity; and idle ones, at a hundredth of it. Within its
//                 minute a request comes at a uniform instant
//
// A sine is drawn with 256 chords to the period, an exponential with 8 to the time constant.
#ifndef ANYBIT_BASE_ARRIVALS_WORKLOADS_H_
#define ANYBIT_BASE_ARRIVALS_WORKLOADS_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time.h"

namespace anybit {

// In the order above.
std::span<const std::string_view> WorkloadNames();

// InvalidArgument, listing the names, for an unknown one.
absl::Status CheckWorkload(std::string_view workload);

struct WorkloadOptions {
  int count = 20000;      // requests
  double per_second = 0;  // mean rate over the whole trace
  Duration objective{};   // deadline - arrival; also the unit of the processes' own time scales
  uint64_t seed = 0;
};

// `count` ascending instants from MonoTime() on, none later than T; equal arguments give equal instants.
// InvalidArgument for an unknown name, as CheckWorkload; and for a count below 1, a rate that is not above 0 and at
// most 1e12, an objective that is not above 0, and a trace longer than 100 days or ten million objectives.
absl::StatusOr<std::vector<MonoTime>> MakeArrivals(std::string_view workload, const WorkloadOptions& options);

}  // namespace anybit

#endif  // ANYBIT_BASE_ARRIVALS_WORKLOADS_H_
