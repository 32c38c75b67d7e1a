// Measures how long a network takes, at each operating point and for each batch size, on this machine and now.
#ifndef ANYBIT_SERVER_PROFILER_H_
#define ANYBIT_SERVER_PROFILER_H_

#include <chrono>
#include <functional>
#include <stop_token>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "scheduler/latency/profile.h"
#include "scheduler/loop/event_loop.h"

namespace anybit::server {

struct ProfilerOptions {
  int max_batch = 64;                         // rows
  Duration budget = std::chrono::seconds(2);  // in all but first runs; of the first run of each size, a point's share
  int repetitions = 9;                        // of each measurement, where the budget allows
  // Waits, for batches at rest (scheduler/latency/profile.h); without it those are not measured.
  std::function<void(Duration)> pause = nullptr;
  std::stop_token stop;  // once it is requested, no run begins
};

// Runs batches of 1, 2, 4, ... max_batch rows on the calling thread, points in turn, and takes the median of each
// size; sizes between are interpolated. A size that would overrun its point's share of the budget is not run: it is
// taken to cost per row what the largest size that was run costs, which is too much rather than too little. Each point
// is prepared and run once first, which counts neither as a latency nor for the budget; even a tiny budget counts one
// run after that. Then, of one row and of a few, runs that each follow a pause: what they take longer, up to a few
// rows and beyond, is the latency at rest. That takes the pauses, and runs of at most 20 ms. A failing run's Status,
// with the point's name; Cancelled once it is to stop. `loop` is asked for the time only.
absl::StatusOr<scheduler::Profile> MeasureProfile(const model::AdaptiveNetwork& network,
                                                  const scheduler::EventLoop& loop, const ProfilerOptions& options);

// Prepares each point and runs it once, so that the first request does not wait for packing. A failing run's Status,
// with the point's name; Cancelled once it is to stop.
absl::Status RunEachPointOnce(const model::AdaptiveNetwork& network, const scheduler::EventLoop& loop,
                              const std::stop_token& stop = {});

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PROFILER_H_
