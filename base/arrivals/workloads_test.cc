#include "base/arrivals/workloads.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/statistics.h"
#include "gtest/gtest.h"

namespace anybit {
namespace {

using std::chrono::milliseconds;

std::vector<MonoTime> Arrivals(std::string_view workload, const WorkloadOptions& options) {
  const absl::StatusOr<std::vector<MonoTime>> arrivals = MakeArrivals(workload, options);
  EXPECT_TRUE(arrivals.ok()) << workload << ": " << arrivals.status();
  return arrivals.ok() ? *arrivals : std::vector<MonoTime>();
}

// 2000 objectives of 10 ms with ten requests each.
constexpr WorkloadOptions kUsual = {.count = 20000, .per_second = 1000, .objective = milliseconds(10), .seed = 11};

// `objectives` of 1 ms with a hundred requests each.
WorkloadOptions Dense(int objectives) {
  return {.count = 100 * objectives, .per_second = 100'000, .objective = milliseconds(1), .seed = 12};
}

double LengthSeconds(const WorkloadOptions& options) { return options.count / options.per_second; }

// Requests in each of `parts` equal parts of the trace.
std::vector<double> CountsIn(const std::vector<MonoTime>& arrivals, const WorkloadOptions& options, int parts) {
  std::vector<double> counts(static_cast<size_t>(parts));
  for (const MonoTime arrival : arrivals) {
    const auto part = static_cast<int>(parts * (ToSeconds(arrival.time_since_epoch()) / LengthSeconds(options)));
    ++counts[static_cast<size_t>(std::min(part, parts - 1))];
  }
  return counts;
}

// Within four standard deviations of how many of `count` fall in a part with this probability.
void ExpectShare(double observed, double count, double share) {
  EXPECT_NEAR(observed, count * share, 4 * std::sqrt(count * share * (1 - share)));
}

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments MomentsOf(const std::vector<double>& values) {
  double sum = 0;
  double squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, squares / static_cast<double>(values.size())};
}

double Cv2OfGaps(const std::vector<MonoTime>& arrivals) {
  std::vector<double> gaps;
  for (size_t i = 1; i < arrivals.size(); ++i) gaps.push_back(ToSeconds(arrivals[i] - arrivals[i - 1]));
  const Moments moments = MomentsOf(gaps);
  return moments.variance / (moments.mean * moments.mean);
}

TEST(WorkloadsTest, EachHasItsCountAscendingWithinItsLength) {
  for (const std::string_view workload : WorkloadNames()) {
    for (const int count : {1, 2, 3, 300, 20000}) {
      WorkloadOptions options = kUsual;
      options.count = count;
      const std::vector<MonoTime> arrivals = Arrivals(workload, options);
      ASSERT_EQ(arrivals.size(), static_cast<size_t>(count)) << workload;
      EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end())) << workload;
      EXPECT_GE(arrivals.front(), MonoTime()) << workload;
      EXPECT_LE(arrivals.back(), MonoTime(milliseconds(count))) << workload;
    }
  }
}

TEST(WorkloadsTest, EachFillsItsLengthSoThatItsMeanRateIsTheOneAskedFor) {
  for (const std::string_view workload : WorkloadNames()) {
    const std::vector<MonoTime> arrivals = Arrivals(workload, kUsual);
    EXPECT_LT(ToSeconds(arrivals.front().time_since_epoch()), 0.01 * LengthSeconds(kUsual)) << workload;
    EXPECT_GT(ToSeconds(arrivals.back().time_since_epoch()), 0.99 * LengthSeconds(kUsual)) << workload;
  }
}

TEST(WorkloadsTest, EqualSeedsGiveEqualInstantsAndOthersOthers) {
  for (const std::string_view workload : WorkloadNames()) {
    WorkloadOptions other = kUsual;
    ++other.seed;
    const std::vector<MonoTime> arrivals = Arrivals(workload, kUsual);
    EXPECT_EQ(arrivals, Arrivals(workload, kUsual)) << workload;
    EXPECT_EQ(arrivals == Arrivals(workload, other), workload == "constant") << workload;
  }
}

TEST(WorkloadsTest, TenTimesTheObjectiveAtATenthOfTheRateIsTheSameTraceTenTimesAsLong) {
  for (const std::string_view workload : WorkloadNames()) {
    const WorkloadOptions slow = {.count = kUsual.count,
                                  .per_second = kUsual.per_second / 10,
                                  .objective = kUsual.objective * 10,
                                  .seed = kUsual.seed};
    const std::vector<MonoTime> arrivals = Arrivals(workload, kUsual);
    const std::vector<MonoTime> slow_arrivals = Arrivals(workload, slow);
    Duration farthest{};
    for (size_t i = 0; i < arrivals.size(); ++i) {
      const Duration off = slow_arrivals[i].time_since_epoch() - 10 * arrivals[i].time_since_epoch();
      farthest = std::max(farthest, std::chrono::abs(off));
    }
    EXPECT_LE(farthest.count(), 6) << workload;  // ten halves of a nanosecond, and one half
  }
}

TEST(WorkloadsTest, AnObjectiveOfAnyLengthLeavesTheRateAlone) {
  for (const std::string_view workload : WorkloadNames()) {
    for (const Duration objective : {Duration(10'000), Duration(std::chrono::hours(1))}) {
      WorkloadOptions options = kUsual;
      options.objective = objective;
      const std::vector<MonoTime> arrivals = Arrivals(workload, options);
      ASSERT_EQ(arrivals.size(), 20000u);
      EXPECT_LE(ToSeconds(arrivals.back().time_since_epoch()), LengthSeconds(options)) << workload;
      EXPECT_GT(ToSeconds(arrivals.back().time_since_epoch()), 0.95 * LengthSeconds(options)) << workload;
    }
  }
}

TEST(WorkloadsTest, ConstantHasEqualGaps) {
  const std::vector<MonoTime> arrivals = Arrivals("constant", kUsual);
  for (size_t i = 0; i < arrivals.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(arrivals[i].time_since_epoch().count()), 1e6 * static_cast<double>(i), 1);
  }
}

// The estimate of CV2 from n gamma gaps has a relative variance of (2 + 2 CV2) / n.
TEST(WorkloadsTest, GapsAreAsVariedAsTheNameSays) {
  struct Case {
    std::string_view workload;
    double cv2;
  };
  for (const Case& c : {Case{"poisson", 1}, {"gamma2", 2}, {"gamma4", 4}, {"gamma8", 8}}) {
    WorkloadOptions options = kUsual;
    options.count = 200000;
    EXPECT_NEAR(Cv2OfGaps(Arrivals(c.workload, options)), c.cv2, 4 * c.cv2 * std::sqrt((2 + 2 * c.cv2) / options.count))
        << c.workload;
  }
}

// Over windows long against the gaps the base adds no variance, and a renewal process has CV2 times its mean count:
// bursts of rate share s leave s CV2 of the whole mean. A variance from W windows has a relative variance of 2 / W.
TEST(WorkloadsTest, BurstyIsAnEvenBaseWithAGammaPart) {
  struct Case {
    std::string_view workload;
    double bursts;  // rate of the gamma part, where the base has 1500
    double cv2;
  };
  for (const Case& c : {Case{"bursty2", 2950, 2}, {"bursty4", 4900, 4}, {"bursty8", 5550, 8}}) {
    WorkloadOptions options = kUsual;
    options.count = 400000;
    const std::vector<MonoTime> arrivals = Arrivals(c.workload, options);
    const double share = c.bursts / (1500 + c.bursts);
    constexpr int kWindows = 2000;
    const Moments counts = MomentsOf(CountsIn(arrivals, options, kWindows));
    EXPECT_NEAR(counts.variance / counts.mean, share * c.cv2, 4 * share * c.cv2 * std::sqrt(2.0 / kWindows))
        << c.workload;

    const double base_gap = 1 / (options.per_second * (1 - share));
    double longest = 0;
    for (size_t i = 1; i < arrivals.size(); ++i) longest = std::max(longest, ToSeconds(arrivals[i] - arrivals[i - 1]));
    EXPECT_LE(longest, 1.0001 * base_gap) << c.workload;  // the base's count is rounded
    EXPECT_GT(longest, 0.9999 * base_gap) << c.workload;
  }
}

TEST(WorkloadsTest, StepGoesFromHalfTheRateToOneAndAHalf) {
  const std::vector<double> eighths = CountsIn(Arrivals("step", kUsual), kUsual, 8);
  for (size_t i = 0; i < 8; ++i) ExpectShare(eighths[i], kUsual.count, (i < 4 ? 0.5 : 1.5) / 8);
}

TEST(WorkloadsTest, AccelerationRampsThroughTheMiddleHalf) {
  const std::vector<double> eighths = CountsIn(Arrivals("acceleration", kUsual), kUsual, 8);
  const double rates[] = {0.5, 0.5, 0.625, 0.875, 1.125, 1.375, 1.5, 1.5};
  for (size_t i = 0; i < 8; ++i) ExpectShare(eighths[i], kUsual.count, rates[i] / 8);
}

TEST(WorkloadsTest, DiurnalHasFourPeriodsWithTheQuartersOfASine) {
  const WorkloadOptions options = Dense(2000);
  const std::vector<double> sixteenths = CountsIn(Arrivals("diurnal", options), options, 16);
  for (size_t i = 0; i < 16; ++i) {
    // The integral of 0.8 sin over a quarter period is 0.8 / (2 pi) of the period.
    const double sine = 0.8 / (2 * M_PI) * (i % 4 < 2 ? 1 : -1);
    ExpectShare(sixteenths[i], options.count, (0.25 + sine) / 4);
  }
}

TEST(WorkloadsTest, FlashCrowdsJumpToFiveTimesTheBaseEveryHundredObjectives) {
  const int objectives = 10000;
  const WorkloadOptions options = Dense(objectives);
  const std::vector<double> counts = CountsIn(Arrivals("flash", options), options, objectives);
  const double quiet = UpperMedian(std::vector<double>(counts));  // roughly: most of the trace is
  std::vector<size_t> starts;
  for (size_t i = 1; i + 7 < counts.size(); ++i) {
    if (counts[i - 1] < 2 * quiet && counts[i + 1] > 4 * quiet && (starts.empty() || i > starts.back() + 1)) {
      starts.push_back(i);
    }
  }
  // Gaps are uniform on 50..150: mean 100, deviation 29.
  ASSERT_GT(starts.size(), 2u);
  const double gaps = static_cast<double>(starts.size() - 1);
  EXPECT_NEAR(static_cast<double>(starts.back() - starts.front()) / gaps, 100, 4 * 29 / std::sqrt(gaps));
  EXPECT_LE(starts.front(), 100u);

  // From 36 objectives on a crowd is over and until 49 there is no other. A crowd adds 4 x 5 objectives' worth of the
  // base while it holds, and as much again while it decays.
  double sum = 0;
  int quiet_counts = 0;
  for (const size_t start : starts) {
    for (size_t i = start + 36; i < start + 49 && i < counts.size(); ++i, ++quiet_counts) sum += counts[i];
  }
  const double base = sum / quiet_counts;
  const double crowds = static_cast<double>(starts.size());
  EXPECT_NEAR(base, 100 / (1 + 40 * crowds / objectives), 4 * std::sqrt(base / quiet_counts) + 0.005 * base);

  double decayed = 0;
  for (size_t c = 0; c < starts.size(); ++c) {
    const size_t start = starts[c];
    if (c > 0) {
      EXPECT_GE(start - starts[c - 1], 49u);
      EXPECT_LE(start - starts[c - 1], 151u);
    }
    for (size_t i = start + 1; i < start + 5; ++i) EXPECT_NEAR(counts[i], 5 * base, 5 * std::sqrt(5 * base));
    if (start + 15 < counts.size()) decayed += counts[start + 15];
  }
  // The crowd starts anywhere in its own objective, so this is 9 to 11 objectives after the hold: two time constants.
  EXPECT_NEAR(decayed / crowds, base * (1 + 4 * std::exp(-2.0)), 4 * std::sqrt(1.6 * base / crowds) + 0.02 * base);
}

TEST(WorkloadsTest, FlashHasACrowdInEvenAShortTrace) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    WorkloadOptions options = Dense(20);
    options.seed = seed;
    const std::vector<double> counts = CountsIn(Arrivals("flash", options), options, 20);
    const auto peak = std::max_element(counts.begin(), counts.end());
    const double before = *std::min_element(counts.begin(), peak + 1);
    const double after = *std::min_element(peak, counts.end());
    EXPECT_GT(*peak, 2 * std::min(before, after)) << seed;
  }
}

TEST(WorkloadsTest, MmppStaysTwentyObjectivesLowAndTenAtFourTimesTheRate) {
  const int objectives = 20000;
  const WorkloadOptions options = Dense(objectives);
  std::vector<double> counts = CountsIn(Arrivals("mmpp", options), options, objectives);
  const auto is_high = [&](size_t i) { return counts[i] > 100; };  // 50 or 200; a mixed one is either
  std::vector<double> low;                                         // counts amid a stay
  std::vector<double> high;
  int highs = 0;
  int changes = 0;
  for (size_t i = 1; i + 1 < counts.size(); ++i) {
    highs += is_high(i);
    changes += is_high(i) != is_high(i - 1);
    if (is_high(i) == is_high(i - 1) && is_high(i) == is_high(i + 1)) (is_high(i) ? high : low).push_back(counts[i]);
  }
  const double stays = objectives / 30.0;  // of each kind
  EXPECT_NEAR(MomentsOf(high).mean / MomentsOf(low).mean, 4, 0.04);
  // Stays of less than half an objective go unseen, in both kinds.
  EXPECT_NEAR(changes / 2.0, stays, 4 * std::sqrt(stays) + 0.08 * stays);
  // The share of an alternating renewal process: variance 2 (20 x 10)^2 / 30^3 per unit of time.
  EXPECT_NEAR(highs, objectives / 3.0, 4 * std::sqrt(2 * 200.0 * 200.0 / 27000.0 * objectives));
}

TEST(WorkloadsTest, AzureTimersShareTheStartsOfMinutes) {
  const WorkloadOptions options = Dense(2000);  // 100 minutes
  const std::vector<MonoTime> arrivals = Arrivals("azure", options);
  int together = 0;
  for (size_t i = 0; i < arrivals.size(); ++i) {
    const bool shared =
        (i > 0 && arrivals[i - 1] == arrivals[i]) || (i + 1 < arrivals.size() && arrivals[i + 1] == arrivals[i]);
    if (shared && arrivals[i].time_since_epoch() % milliseconds(20) == Duration::zero()) ++together;
  }
  EXPECT_GT(together, 0.03 * options.count);
  EXPECT_LE(together, 0.05 * options.count);
}

TEST(WorkloadsTest, AzureMinutesVaryFarMoreThanChanceYetNoneDominates) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    WorkloadOptions options = Dense(2000);
    options.seed = seed;
    const std::vector<double> counts = CountsIn(Arrivals("azure", options), options, 100);
    const Moments moments = MomentsOf(counts);
    EXPECT_GT(moments.variance, 10 * moments.mean) << seed;
    EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 6 * moments.mean) << seed;
    EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 0.1 * moments.mean) << seed;
  }
}

TEST(WorkloadsTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const absl::Status status = MakeArrivals("tsunami", kUsual).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string text(status.message());
  EXPECT_NE(text.find("'tsunami'"), std::string::npos) << text;
  for (const std::string_view workload : WorkloadNames()) EXPECT_NE(text.find(workload), std::string::npos) << text;
}

TEST(WorkloadsTest, OptionsOutOfRangeAreRefusedWithTheirValue) {
  const auto message = [](WorkloadOptions options) {
    const absl::Status status = MakeArrivals("poisson", options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  const auto with_rate = [](double rate) {
    WorkloadOptions options = kUsual;
    options.per_second = rate;
    return options;
  };
  WorkloadOptions none = kUsual;
  none.count = 0;
  EXPECT_NE(message(none).find("of 0 requests"), std::string::npos);
  EXPECT_NE(message(with_rate(0)).find("of 0 requests per second"), std::string::npos);
  EXPECT_NE(message(with_rate(-3)).find("-3 requests per second"), std::string::npos);
  EXPECT_NE(message(with_rate(std::nan(""))).find("nan requests per second"), std::string::npos);
  EXPECT_NE(message(with_rate(std::numeric_limits<double>::infinity())).find("inf requests"), std::string::npos);
  EXPECT_NE(message(with_rate(0.001)).find("allowed are 8.64e+06 s"), std::string::npos);
  WorkloadOptions no_objective = kUsual;
  no_objective.objective = Duration::zero();
  EXPECT_NE(message(no_objective).find("objective of 0 ns"), std::string::npos);
  WorkloadOptions many = kUsual;
  many.objective = Duration(1);
  EXPECT_NE(message(many).find("2e+10 objectives, allowed are 1e+07"), std::string::npos);
}

}  // namespace
}  // namespace anybit
