#include "base/arrivals/workloads.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numbers>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/arrivals/azure_counts.h"
#include "base/arrivals/minute_counts.h"
#include "base/random.h"

namespace anybit {
namespace {

// A trace to be made. All times in this file are in objectives, as doubles.
struct Trace {
  int count = 0;
  double length = 0;
};

using Instants = std::vector<double>;

Instants EqualGaps(const Trace& trace) {
  Instants instants(static_cast<size_t>(trace.count));
  for (size_t i = 0; i < instants.size(); ++i) instants[i] = trace.length * static_cast<double>(i) / trace.count;
  return instants;
}

// Partial sums of `gap()`, scaled so that one gap more would end at the trace's length. With exponential gaps these are
// the order statistics of uniform instants: a Poisson process, given its count.
template <typename Gap>
Instants Renewals(const Trace& trace, Gap gap) {
  Instants instants(static_cast<size_t>(trace.count));
  double sum = std::numeric_limits<double>::min();  // above 0 even if every gap is 0
  for (double& instant : instants) instant = sum += gap();
  sum += gap();
  for (double& instant : instants) instant = trace.length * (instant / sum);
  return instants;
}

Instants GammaRenewals(const Trace& trace, double cv2, std::mt19937_64& random) {
  return Renewals(trace, [&] { return Gamma(random, 1 / cv2); });
}

// A rate that goes linearly from one value to the other. Only the ratio of phases' rates matters.
struct Phase {
  double length = 0;
  double from = 0;
  double to = 0;

  double Area() const { return length * (from + to) / 2; }
};

// A Poisson process whose rate is proportional to `phases`: uniform order statistics of their area, taken back to time.
Instants PoissonOver(const std::vector<Phase>& phases, int count, std::mt19937_64& random) {
  double whole = 0;
  for (const Phase& phase : phases) whole += phase.Area();
  Instants instants = Renewals({.count = count, .length = whole}, [&] { return Exponential(random); });
  double start = 0;  // of the phase: time, and the area before it
  double area_before = 0;
  size_t p = 0;
  for (double& instant : instants) {
    while (p + 1 < phases.size() && instant > area_before + phases[p].Area()) {
      start += phases[p].length;
      area_before += phases[p].Area();
      ++p;
    }
    // area = from t + (to - from) / length t^2 / 2, solved for t in the form that does not cancel.
    const Phase& phase = phases[p];
    const double area = std::max(0.0, instant - area_before);
    const double square = phase.from * phase.from + 2 * (phase.to - phase.from) / phase.length * area;
    instant = start + std::min(phase.length, 2 * area / (phase.from + std::sqrt(std::max(0.0, square))));
  }
  return instants;
}

// Adds phases up to a given length and cuts the one that crosses it.
class Course {
 public:
  explicit Course(double length) : left_(length) {}

  bool complete() const { return left_ <= 0; }
  void Add(const Phase& phase) {
    if (complete() || phase.length <= 0) return;
    const double length = std::min(phase.length, left_);
    phases_.push_back({length, phase.from, phase.from + (phase.to - phase.from) * (length / phase.length)});
    left_ -= length;
  }
  const std::vector<Phase>& phases() const { return phases_; }

 private:
  std::vector<Phase> phases_;
  double left_;
};

Instants Constant(const Trace& trace, std::mt19937_64&) { return EqualGaps(trace); }

Instants Poisson(const Trace& trace, std::mt19937_64& random) {
  return PoissonOver({{trace.length, 1, 1}}, trace.count, random);
}

template <int kCv2>
Instants GammaGaps(const Trace& trace, std::mt19937_64& random) {
  return GammaRenewals(trace, kCv2, random);
}

template <int kBurstRate, int kCv2>
Instants Bursty(const Trace& trace, std::mt19937_64& random) {
  constexpr double kBaseRate = 1500;
  Trace base = trace;
  base.count = static_cast<int>(std::lround(trace.count * (kBaseRate / (kBaseRate + kBurstRate))));
  Trace bursts = trace;
  bursts.count = trace.count - base.count;
  const Instants even = EqualGaps(base);
  const Instants uneven = GammaRenewals(bursts, kCv2, random);
  Instants instants(static_cast<size_t>(trace.count));
  std::merge(even.begin(), even.end(), uneven.begin(), uneven.end(), instants.begin());
  return instants;
}

Instants Acceleration(const Trace& trace, std::mt19937_64& random) {
  const double quarter = trace.length / 4;
  return PoissonOver({{quarter, 0.5, 0.5}, {2 * quarter, 0.5, 1.5}, {quarter, 1.5, 1.5}}, trace.count, random);
}

Instants Step(const Trace& trace, std::mt19937_64& random) {
  const double half = trace.length / 2;
  return PoissonOver({{half, 0.5, 0.5}, {half, 1.5, 1.5}}, trace.count, random);
}

Instants Flash(const Trace& trace, std::mt19937_64& random) {
  constexpr double kPeak = 5;    // times the base
  constexpr double kHold = 5;    // objectives
  constexpr double kDecay = 5;   // objectives
  constexpr int kConstants = 6;  // after which 1 % of the base is left
  constexpr int kChords = 8;     // to the time constant
  constexpr double kCrowd = kHold + kConstants * kDecay;
  const auto excess = [](int chord) { return (kPeak - 1) * std::exp(-static_cast<double>(chord) / kChords); };

  Course course(trace.length);
  double quiet = UniformUnit(random) * std::min(100.0, trace.length / 2);
  while (!course.complete()) {
    course.Add({quiet, 1, 1});
    course.Add({kHold, kPeak, kPeak});
    for (int i = 0; i < kConstants * kChords; ++i) course.Add({kDecay / kChords, 1 + excess(i), 1 + excess(i + 1)});
    quiet = 50 + 100 * UniformUnit(random) - kCrowd;
  }
  return PoissonOver(course.phases(), trace.count, random);
}

Instants Mmpp(const Trace& trace, std::mt19937_64& random) {
  struct State {
    double rate, stay;
  };
  constexpr State kLow = {0.5, 20};
  constexpr State kHigh = {2, 10};
  Course course(trace.length);
  bool high = UniformUnit(random) < kHigh.stay / (kLow.stay + kHigh.stay);
  for (; !course.complete(); high = !high) {
    const State& state = high ? kHigh : kLow;
    course.Add({state.stay * Exponential(random), state.rate, state.rate});
  }
  return PoissonOver(course.phases(), trace.count, random);
}

Instants Diurnal(const Trace& trace, std::mt19937_64& random) {
  constexpr int kPeriods = 4;
  constexpr int kChords = 256;  // to the period; off the sine by 0.8 (2 pi / 256)^2 / 8 < 0.0001 at most
  const auto rate = [](int chord) { return 1 + 0.8 * std::sin(2 * std::numbers::pi * chord / kChords); };
  std::vector<Phase> phases;
  for (int i = 0; i < kPeriods * kChords; ++i) {
    phases.push_back({trace.length / (kPeriods * kChords), rate(i), rate(i + 1)});
  }
  return PoissonOver(phases, trace.count, random);
}

Instants Azure(const Trace& trace, std::mt19937_64& random) {
  constexpr double kMinute = 20;  // objectives
  const int minutes = std::max(1, static_cast<int>(std::lround(trace.length / kMinute)));
  Instants instants;
  instants.reserve(static_cast<size_t>(trace.count));
  for (const MinuteCount& invoked : AzureCounts(trace.count, minutes, random)) {
    AppendInstants(invoked, random, instants);
  }
  std::sort(instants.begin(), instants.end());
  for (double& instant : instants) instant *= trace.length / minutes;
  return instants;
}

struct Workload {
  std::string_view name;
  Instants (*make)(const Trace& trace, std::mt19937_64& random);
};

constexpr Workload kWorkloads[] = {
    {"constant", Constant},
    {"poisson", Poisson},
    {"gamma2", GammaGaps<2>},
    {"gamma4", GammaGaps<4>},
    {"gamma8", GammaGaps<8>},
    {"bursty2", Bursty<2950, 2>},
    {"bursty4", Bursty<4900, 4>},
    {"bursty8", Bursty<5550, 8>},
    {"acceleration", Acceleration},
    {"step", Step},
    {"flash", Flash},
    {"mmpp", Mmpp},
    {"diurnal", Diurnal},
    {"azure", Azure},
};

constexpr auto kNames = [] {
  std::array<std::string_view, std::size(kWorkloads)> names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = kWorkloads[i].name;
  return names;
}();

constexpr Duration kLongest = std::chrono::hours(24 * 100);
constexpr double kHighestRate = 1e12;    // a thousand in each nanosecond
constexpr double kMostObjectives = 1e7;  // bounds the phases and minutes to be made

const Workload* Find(std::string_view workload) {
  const auto* found = std::find_if(std::begin(kWorkloads), std::end(kWorkloads),
                                   [workload](const Workload& known) { return known.name == workload; });
  return found == std::end(kWorkloads) ? nullptr : found;
}

absl::Status Validate(const WorkloadOptions& options) {
  if (options.count < 1) {
    return absl::InvalidArgumentError(absl::StrCat("workload of ", options.count, " requests, must be 1 or more"));
  }
  // Written so that NaN fails too.
  if (!(options.per_second > 0 && options.per_second <= kHighestRate)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "workload of ", options.per_second, " requests per second, must be more than 0 and at most ", kHighestRate));
  }
  if (options.objective <= Duration::zero()) {
    return absl::InvalidArgumentError(
        absl::StrCat("workload has an objective of ", options.objective.count(), " ns, must be more than 0"));
  }
  const double seconds = options.count / options.per_second;
  if (!(seconds <= ToSeconds(kLongest))) {
    return absl::InvalidArgumentError(absl::StrCat(options.count, " requests at ", options.per_second,
                                                   " per second take ", seconds, " s, allowed are ",
                                                   ToSeconds(kLongest), " s"));
  }
  if (!(seconds <= kMostObjectives * ToSeconds(options.objective))) {
    return absl::InvalidArgumentError(absl::StrCat(options.count, " requests at ", options.per_second,
                                                   " per second take ", seconds / ToSeconds(options.objective),
                                                   " objectives, allowed are ", kMostObjectives));
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const std::string_view> WorkloadNames() { return kNames; }

absl::Status CheckWorkload(std::string_view workload) {
  if (Find(workload) != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("unknown workload '", std::string(workload), "', known are ",
                   absl::StrJoin(kNames, ", ", [](std::string* out, std::string_view name) { out->append(name); })));
}

absl::StatusOr<std::vector<MonoTime>> MakeArrivals(std::string_view workload, const WorkloadOptions& options) {
  if (absl::Status known = CheckWorkload(workload); !known.ok()) return known;
  if (absl::Status valid = Validate(options); !valid.ok()) return valid;

  std::mt19937_64 random(options.seed);
  const double objective = static_cast<double>(options.objective.count());
  const Trace trace = {.count = options.count,
                       .length = options.count / (options.per_second * ToSeconds(options.objective))};
  std::vector<MonoTime> arrivals;
  arrivals.reserve(static_cast<size_t>(options.count));
  for (const double instant : Find(workload)->make(trace, random)) {
    arrivals.push_back(MonoTime(Duration(std::llround(instant * objective))));
  }
  return arrivals;
}

}  // namespace anybit
