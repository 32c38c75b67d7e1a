#include "scheduler/latency/arrival_meter.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>

#include "base/random.h"
#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr Duration kObjective = milliseconds(100);

// Counts `rows` every `gap` from `start` on, `count` times; returns half a gap after the last.
MonoTime Feed(ArrivalMeter& meter, MonoTime start, Duration gap, int count, int rows = 1,
              Duration objective = kObjective) {
  for (int i = 0; i < count; ++i) meter.Count(start + i * gap, start + i * gap + objective, rows);
  return start + (count - 1) * gap + gap / 2;
}

// Poisson arrivals of `rows` at once, `per_objective` times, for 500 objectives.
double DispersionOf(int rows, double per_objective) {
  std::mt19937_64 random(1);
  ArrivalMeter meter;
  double at = 0;  // objectives
  MonoTime last{};
  while (at < 500) {
    last = MonoTime(Duration(static_cast<int64_t>(at * static_cast<double>(kObjective.count()))));
    meter.Count(last, last + kObjective, rows);
    at += Exponential(random) / per_objective;
  }
  return meter.Forecast(last).dispersion;
}

TEST(ArrivalMeterTest, ExpectsNothingBeforeTheFirstRequest) {
  const ArrivalForecast forecast = ArrivalMeter().Forecast(MonoTime(hours(1)));
  EXPECT_EQ(forecast.fast, 0);
  EXPECT_EQ(forecast.medium, 0);
  EXPECT_EQ(forecast.slow, 0);
  EXPECT_EQ(forecast.dispersion, 1);
  EXPECT_EQ(forecast.objective, Duration::zero());
}

TEST(ArrivalMeterTest, ASteadyRateIsSeenByAllAverages) {
  ArrivalMeter meter;
  const MonoTime end = Feed(meter, MonoTime(hours(5)), kObjective / 20, 2000);
  const ArrivalForecast forecast = meter.Forecast(end);
  EXPECT_NEAR(forecast.fast, 20, 0.3);
  EXPECT_NEAR(forecast.medium, 20, 0.3);
  EXPECT_NEAR(forecast.slow, 20, 0.3);
  EXPECT_EQ(forecast.objective, kObjective);
}

TEST(ArrivalMeterTest, ASteadyRateIsSeenAfterTwoObjectivesAlready) {
  ArrivalMeter meter;
  const MonoTime end = Feed(meter, MonoTime(), kObjective / 20, 40);
  EXPECT_NEAR(meter.Forecast(end).medium, 20, 2);
  EXPECT_NEAR(meter.Forecast(end).slow, 20, 2);
}

TEST(ArrivalMeterTest, CountsRowsNotRequests) {
  ArrivalMeter meter;
  const MonoTime end = Feed(meter, MonoTime(), kObjective / 20, 2000, 4);
  EXPECT_NEAR(meter.Forecast(end).slow, 80, 1);
}

TEST(ArrivalMeterTest, ACrowdIsSeenAtOnceByTheFastAverageAndHardlyByTheSlowOne) {
  ArrivalMeter meter;
  const MonoTime calm = Feed(meter, MonoTime(), kObjective / 10, 1000);
  const MonoTime end = Feed(meter, calm, kObjective / 100, 30);  // 0.3 objectives
  const ArrivalForecast forecast = meter.Forecast(end);
  EXPECT_GT(forecast.fast, 85);
  EXPECT_GT(forecast.medium, 20);
  EXPECT_LT(forecast.medium, 40);
  EXPECT_LT(forecast.slow, 15);
}

TEST(ArrivalMeterTest, SilenceIsSeenWithoutAnyArrival) {
  ArrivalMeter meter;
  const MonoTime end = Feed(meter, MonoTime(), kObjective / 20, 2000);
  const ArrivalForecast forecast = meter.Forecast(end + kObjective);
  EXPECT_LT(forecast.fast, 0.1);
  EXPECT_NEAR(forecast.medium, 20 * std::exp(-1 / 1.5), 0.5);
  EXPECT_NEAR(forecast.slow, 20 * std::exp(-1 / 12.0), 0.5);
}

TEST(ArrivalMeterTest, AskingChangesNothing) {
  ArrivalMeter meter;
  ArrivalMeter asked;
  for (int i = 0; i < 100; ++i) {
    const MonoTime at(i * kObjective / 7);
    meter.Count(at, at + kObjective, 1);
    asked.Count(at, at + kObjective, 1);
    (void)asked.Forecast(at + kObjective / 14);
  }
  const MonoTime now(20 * kObjective);
  EXPECT_EQ(meter.Forecast(now).fast, asked.Forecast(now).fast);
  EXPECT_EQ(meter.Forecast(now).dispersion, asked.Forecast(now).dispersion);
}

TEST(ArrivalMeterTest, RequestsWithoutADeadlineOrWithAPassedOneDoNotCount) {
  ArrivalMeter meter;
  meter.Count(MonoTime(hours(1)), kNever, 1);
  meter.Count(MonoTime(hours(1)), MonoTime(hours(1)), 1);
  EXPECT_EQ(meter.objective(), Duration::zero());
  const MonoTime end = Feed(meter, MonoTime(hours(2)), kObjective / 20, 500);
  const double rate = meter.Forecast(end).fast;
  for (int i = 0; i < 500; ++i) meter.Count(end, kNever, 1);
  EXPECT_EQ(meter.Forecast(end).fast, rate);
  EXPECT_EQ(meter.objective(), kObjective);
}

TEST(ArrivalMeterTest, TheObjectiveFollowsTheClientsWithinHundredsOfRequests) {
  ArrivalMeter meter;
  const MonoTime end = Feed(meter, MonoTime(), kObjective / 20, 100);
  Feed(meter, end, kObjective / 20, 600, 1, 3 * kObjective);
  EXPECT_GT(meter.objective(), kObjective * 29 / 10);
  EXPECT_LE(meter.objective(), 3 * kObjective);
}

// What a client without haste leaves behind, say one that measured the server's capacity.
TEST(ArrivalMeterTest, RequestsOfAnotherObjectiveLeaveNeitherTheirRateNorTheirDispersion) {
  std::mt19937_64 random(1);
  ArrivalMeter meter;
  const MonoTime start = Feed(meter, MonoTime(), milliseconds(1), 3000, 1, 300 * kObjective);
  double at = 0;  // objectives since `start`
  MonoTime last = start;
  const auto poisson_for = [&](double objectives) {
    for (const double end = at + objectives; at < end; at += Exponential(random) / 20) {
      last = start + Duration(static_cast<int64_t>(at * static_cast<double>(kObjective.count())));
      meter.Count(last, last + kObjective, 1);
    }
  };
  poisson_for(60);
  EXPECT_NEAR(static_cast<double>(meter.objective().count()), static_cast<double>(kObjective.count()),
              0.05 * static_cast<double>(kObjective.count()));
  EXPECT_NEAR(meter.Forecast(last).slow, 20, 5);
  EXPECT_LT(meter.Forecast(last).dispersion, 2);
}

TEST(ArrivalMeterTest, ARateStaysTheSameInSecondsWhileTheObjectiveChanges) {
  for (const Duration objective : {kObjective / 10, kObjective * 6}) {
    ArrivalMeter meter;
    MonoTime end = Feed(meter, MonoTime(), kObjective / 20, 2000);
    for (int i = 0; i < 10; ++i) {
      end = Feed(meter, end + kObjective / 40, kObjective / 20, 40, 1, objective);
      const ArrivalForecast forecast = meter.Forecast(end);
      const double expected = 20 * static_cast<double>(meter.objective().count()) / kObjective.count();
      EXPECT_NEAR(forecast.slow, expected, 0.03 * expected) << i;
    }
  }
}

TEST(ArrivalMeterTest, AFewDeadlinesFarAwayMoveTheObjectiveLittle) {
  ArrivalMeter meter;
  MonoTime at{};
  for (int i = 0; i < 3000; ++i) {
    at += kObjective / 20;
    meter.Count(at, at + (i % 100 == 50 ? 600 * kObjective : kObjective), 1);
  }
  EXPECT_LT(meter.objective(), kObjective * 6 / 5);
}

TEST(ArrivalMeterTest, DispersionIsOneForPoissonAndTheRowsForRequestsOfManyRows) {
  EXPECT_NEAR(DispersionOf(1, 30), 1, 0.35);
  EXPECT_NEAR(DispersionOf(8, 30), 8, 2.8);
}

TEST(ArrivalMeterTest, DispersionOfEqualGapsCountsAsPoissons) {
  ArrivalMeter meter;
  EXPECT_EQ(meter.Forecast(Feed(meter, MonoTime(), kObjective / 20, 2000)).dispersion, 1);
}

TEST(ArrivalMeterTest, AWorldTenTimesAsSlowIsMeasuredTheSame) {
  const auto measure = [](int factor) {
    std::mt19937_64 random(3);
    ArrivalMeter meter;
    MonoTime at{};
    for (int i = 0; i < 500; ++i) {
      at += factor * Duration(UniformInt(random, 0, 9000000));
      meter.Count(at, at + factor * kObjective, 1);
    }
    return meter.Forecast(at + factor * milliseconds(1));
  };
  const ArrivalForecast once = measure(1);
  const ArrivalForecast slow = measure(10);
  EXPECT_DOUBLE_EQ(once.fast, slow.fast);
  EXPECT_DOUBLE_EQ(once.medium, slow.medium);
  EXPECT_DOUBLE_EQ(once.slow, slow.slow);
  EXPECT_DOUBLE_EQ(once.dispersion, slow.dispersion);
  EXPECT_EQ(once.objective * 10, slow.objective);
}

TEST(ArrivalMeterTest, AYearOfSilenceIsOverInNoTime) {
  ArrivalMeter meter;
  const MonoTime end = Feed(meter, MonoTime(), kObjective / 20, 100);
  const MonoTime later = end + hours(24 * 365);
  meter.Count(later, later + kObjective, 1);
  EXPECT_LT(meter.Forecast(later).slow, 1);
}

}  // namespace
}  // namespace anybit::scheduler
