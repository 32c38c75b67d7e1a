#include "server/profiler.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/statistics.h"

namespace anybit::server {
namespace {

std::vector<int> SizesToMeasure(int max_batch) {
  std::vector<int> sizes;
  for (int rows = 1; rows < max_batch; rows *= 2) sizes.push_back(rows);
  sizes.push_back(max_batch);
  return sizes;
}

struct Measurement {
  int rows = 0;
  std::vector<Duration> runs;  // not empty
};

// One latency for each number of rows, from ascending measurements.
std::vector<Duration> FillBetween(std::vector<Measurement>& measurements, int max_batch) {
  std::vector<Duration> latency(max_batch);
  int previous_rows = 0;
  Duration previous{};
  for (Measurement& m : measurements) {
    const Duration here = std::max(Median(m.runs), Duration(1));
    for (int rows = previous_rows + 1; rows <= m.rows; ++rows) {
      latency[rows - 1] = previous + (here - previous) * (rows - previous_rows) / (m.rows - previous_rows);
    }
    previous_rows = m.rows;
    previous = here;
  }
  for (int rows = previous_rows + 1; rows <= max_batch; ++rows) latency[rows - 1] = previous * rows / previous_rows;
  return latency;
}

class Bench {
 public:
  Bench(const model::AdaptiveNetwork& network, const scheduler::EventLoop& loop, int max_batch, std::stop_token stop)
      : network_(network),
        loop_(loop),
        stop_(std::move(stop)),
        input_(max_batch * network.description().input.elements),
        output_(max_batch * network.description().output.elements),
        scratch_(network.MakeScratch(max_batch)) {
    // Neither constant nor periodic in a row's length, so that no kernel is flattered.
    uint32_t state = 1;
    for (uint8_t& code : input_) code = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  }

  // Readies the point and runs it once.
  absl::Status Prepare(int point) {
    if (stop_.stop_requested()) return Stopped();
    if (absl::Status status = network_.Prepare(ToPointId(point)); !status.ok()) return status;
    return Run(point, 1).status();
  }

  absl::StatusOr<Duration> Run(int point, int rows) {
    if (stop_.stop_requested()) return Stopped();
    const auto& description = network_.description();
    const MonoTime start = loop_.Now();
    const absl::Status status =
        network_.Run(ToPointId(point), std::span(input_).first(rows * description.input.elements),
                     std::span(output_).first(rows * description.output.elements), *scratch_);
    const Duration taken = loop_.Now() - start;
    if (status.ok()) return taken;
    return absl::Status(status.code(), absl::StrCat("profiling ", rows, " rows at ", description.points[point].name,
                                                    ": ", status.message()));
  }

  // Sizes in ascending order, as many as fit into `share` but at least the first.
  absl::StatusOr<std::vector<Measurement>> MeasureOnce(int point, const std::vector<int>& sizes, Duration share) {
    const MonoTime end = SaturatingAdd(loop_.Now(), share);
    std::vector<Measurement> measurements;
    for (int rows : sizes) {
      if (!measurements.empty()) {
        const Measurement& before = measurements.back();
        if (SaturatingAdd(loop_.Now(), before.runs.back() * rows / before.rows) > end) break;
      }
      const absl::StatusOr<Duration> taken = Run(point, rows);
      if (!taken.ok()) return taken.status();
      measurements.push_back({.rows = rows, .runs = {*taken}});
    }
    return measurements;
  }

  // One more run of those that end by `end`, after one that fetches the point's weights and does not count.
  absl::Status MeasureAgain(int point, std::vector<Measurement>& measurements, MonoTime end) {
    const auto ends_by = [&](Duration taken) { return SaturatingAdd(loop_.Now(), taken) <= end; };
    const Measurement& first = measurements.front();
    if (!ends_by(2 * first.runs.back())) return absl::OkStatus();
    if (absl::Status status = Run(point, first.rows).status(); !status.ok()) return status;
    for (Measurement& m : measurements) {
      if (!ends_by(m.runs.back())) continue;
      const absl::StatusOr<Duration> again = Run(point, m.rows);
      if (!again.ok()) return again.status();
      m.runs.push_back(*again);
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status Stopped() { return absl::CancelledError("profiling was stopped"); }

  const model::AdaptiveNetwork& network_;
  const scheduler::EventLoop& loop_;
  const std::stop_token stop_;
  std::vector<uint8_t> input_;
  std::vector<float> output_;
  const std::unique_ptr<model::AdaptiveNetwork::Scratch> scratch_;
};

// Pauses that leave no doubt, and what is run after them.
constexpr Duration kPause = 3 * scheduler::kRest;
constexpr int kRestedRepetitions = 5, kRestedRows = 8;
// Longer batches hardly notice how they began.
constexpr Duration kLongestRested = std::chrono::milliseconds(20);

// What `rows` at rest take longer than `busy`, at least nothing.
absl::StatusOr<Duration> MeasureRest(Bench& bench, int point, int rows, Duration busy, const ProfilerOptions& options) {
  if (busy > kLongestRested) return Duration::zero();
  std::vector<Duration> runs;
  for (int i = 0; i < kRestedRepetitions; ++i) {
    options.pause(kPause);
    const absl::StatusOr<Duration> taken = bench.Run(point, rows);
    if (!taken.ok()) return taken.status();
    runs.push_back(*taken);
  }
  return std::max(Median(runs) - busy, Duration::zero());
}

// Fills in profile.rested.
absl::Status MeasureRested(Bench& bench, const ProfilerOptions& options, scheduler::Profile& profile) {
  const int few = std::min(kRestedRows, profile.max_batch);
  for (int point = 0; point < static_cast<int>(profile.points.size()); ++point) {
    std::vector<Duration> rested = profile.latency[point];
    const absl::StatusOr<Duration> of_one = MeasureRest(bench, point, 1, rested.front(), options);
    if (!of_one.ok()) return of_one.status();
    const absl::StatusOr<Duration> of_few =
        few == 1 ? of_one : MeasureRest(bench, point, few, rested[few - 1], options);
    if (!of_few.ok()) return of_few.status();
    for (int rows = 1; rows <= profile.max_batch; ++rows) {
      const int between = std::min(rows, few) - 1;
      rested[rows - 1] += few == 1 ? *of_one : *of_one + (*of_few - *of_one) * between / (few - 1);
    }
    profile.rested.push_back(std::move(rested));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<scheduler::Profile> MeasureProfile(const model::AdaptiveNetwork& network,
                                                  const scheduler::EventLoop& loop, const ProfilerOptions& options) {
  scheduler::Profile profile{.max_batch = options.max_batch};
  const std::vector<int> sizes = SizesToMeasure(options.max_batch);
  const auto& points = network.description().points;
  Bench bench(network, loop, options.max_batch, options.stop);
  Duration spent{};
  std::vector<std::vector<Measurement>> measured;
  for (int point = 0; point < static_cast<int>(points.size()); ++point) {
    if (absl::Status status = bench.Prepare(point); !status.ok()) return status;
    // What a fast point leaves of its share goes to those after it.
    const Duration share = (options.budget - spent) / static_cast<int>(points.size() - point);
    const MonoTime start = loop.Now();
    absl::StatusOr<std::vector<Measurement>> once = bench.MeasureOnce(point, sizes, share);
    spent += loop.Now() - start;
    if (!once.ok()) return once.status();
    measured.push_back(*std::move(once));
  }
  // Points take turns: a machine that is slower for a while is so for all of them, and they still stand to each other
  // as they are.
  const MonoTime end = SaturatingAdd(loop.Now(), options.budget - spent);
  for (int repetition = 1; repetition < options.repetitions; ++repetition) {
    for (size_t point = 0; point < points.size(); ++point) {
      if (absl::Status status = bench.MeasureAgain(static_cast<int>(point), measured[point], end); !status.ok()) {
        return status;
      }
    }
  }
  for (size_t point = 0; point < points.size(); ++point) {
    profile.points.push_back({.name = points[point].name, .accuracy = points[point].accuracy});
    profile.latency.push_back(FillBetween(measured[point], options.max_batch));
  }
  if (options.pause != nullptr) {
    if (absl::Status status = MeasureRested(bench, options, profile); !status.ok()) return status;
  }
  if (absl::Status status = scheduler::ValidateProfile(profile); !status.ok()) return status;
  return profile;
}

absl::Status RunEachPointOnce(const model::AdaptiveNetwork& network, const scheduler::EventLoop& loop,
                              const std::stop_token& stop) {
  Bench bench(network, loop, 1, stop);
  for (int point = 0; point < static_cast<int>(network.description().points.size()); ++point) {
    if (absl::Status status = bench.Prepare(point); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace anybit::server
