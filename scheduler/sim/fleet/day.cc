#include "scheduler/sim/fleet/day.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>

namespace anybit::scheduler::sim {
namespace {

using std::chrono::minutes;

constexpr int kMinutes = 1440;
// At each full hour, in parts of the peak.
constexpr std::array<double, 24> kHours = {.42, .34, .28, .25, .24, .27, .36, .50, .66, .80, .88, .92,
                                           .95, .93, .92, .90, .90, .92, .95, 1.0, .98, .88, .72, .55};
constexpr std::array<int, 4> kCrowds = {210, 610, 920, 1170};  // minutes
constexpr int kHold = 5;
constexpr int kDecay = 5;
constexpr int kConstants = 6;  // after which the crowd is gone

double HourRate(int minute) {
  const auto hour = static_cast<size_t>(minute / 60);
  const double part = minute % 60 / 60.0;
  return kHours[hour % 24] * (1 - part) + kHours[(hour + 1) % 24] * part;
}

// The factor by which crowds raise the load, at the begin of a minute or just before it.
double CrowdFactor(int minute, bool before) {
  double factor = 1;
  for (const int crowd : kCrowds) {
    const int age = minute - crowd;
    if (age < 0 || (age == 0 && before) || age > kHold + kDecay * kConstants) continue;
    factor += age <= kHold ? 1 : std::exp(-static_cast<double>(age - kHold) / kDecay);
  }
  return factor;
}

}  // namespace

std::vector<RatePhase> DayPhases(double peak_per_second) {
  std::vector<RatePhase> phases;
  for (int minute = 0; minute < kMinutes; ++minute) {
    phases.push_back({.length = minutes(1),
                      .from_per_second = peak_per_second * HourRate(minute) * CrowdFactor(minute, false),
                      .to_per_second = peak_per_second * HourRate(minute + 1) * CrowdFactor(minute + 1, true)});
  }
  return phases;
}

std::vector<RatePhase> RecordedPhases(std::span<const MonoTime> instants, double mean_per_second) {
  std::vector<RatePhase> phases;
  for (const MonoTime instant : instants) {
    const auto minute = static_cast<size_t>(instant.time_since_epoch() / minutes(1));
    while (phases.size() <= minute) phases.push_back({.length = minutes(1)});
    phases[minute].from_per_second += 1;
  }
  const double mean = static_cast<double>(instants.size()) / static_cast<double>(phases.size());
  for (RatePhase& phase : phases) {
    phase.from_per_second *= mean_per_second / mean;
    phase.to_per_second = phase.from_per_second;
  }
  return phases;
}

Duration LengthOf(std::span<const RatePhase> phases) {
  Duration length{};
  for (const RatePhase& phase : phases) length += phase.length;
  return length;
}

Duration Shortened(Duration time, double ratio) {
  return Duration(std::llround(static_cast<double>(time.count()) / ratio));
}

std::vector<RatePhase> Shortened(std::span<const RatePhase> phases, double ratio) {
  std::vector<RatePhase> shortened(phases.begin(), phases.end());
  for (RatePhase& phase : shortened) phase.length = Shortened(phase.length, ratio);
  return shortened;
}

}  // namespace anybit::scheduler::sim
