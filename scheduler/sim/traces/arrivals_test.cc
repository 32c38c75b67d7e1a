#include "scheduler/sim/traces/arrivals.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace anybit::scheduler::sim {
namespace {

using std::chrono::seconds;

double CountBetween(const std::vector<MonoTime>& arrivals, seconds from, seconds to) {
  return static_cast<double>(std::count_if(arrivals.begin(), arrivals.end(),
                                           [&](MonoTime t) { return t >= MonoTime(from) && t < MonoTime(to); }));
}

// Within four standard deviations of a Poisson count with this mean.
void ExpectAbout(double count, double mean) { EXPECT_NEAR(count, mean, 4 * std::sqrt(mean)); }

TEST(ArrivalsTest, AStepHasItsRatesBeforeAndAfter) {
  const RatePhase phases[] = {{seconds(10), 100, 100}, {seconds(10), 900, 900}};
  const std::vector<MonoTime> arrivals = PoissonArrivals(phases, MonoTime(seconds(5)), 3);
  ExpectAbout(CountBetween(arrivals, seconds(5), seconds(15)), 1000);
  ExpectAbout(CountBetween(arrivals, seconds(15), seconds(25)), 9000);
  EXPECT_EQ(CountBetween(arrivals, seconds(5), seconds(25)), static_cast<double>(arrivals.size()));
}

TEST(ArrivalsTest, ARampHasTheIntegralOfItsRate) {
  const RatePhase phases[] = {{seconds(10), 0, 1000}};
  const std::vector<MonoTime> arrivals = PoissonArrivals(phases, MonoTime(), 4);
  ExpectAbout(CountBetween(arrivals, seconds(0), seconds(5)), 1250);
  ExpectAbout(CountBetween(arrivals, seconds(5), seconds(10)), 3750);
}

TEST(ArrivalsTest, GapsAreAsVariedAsTheirMeanIsLong) {
  const RatePhase phases[] = {{seconds(20), 1000, 1000}};
  const std::vector<MonoTime> arrivals = PoissonArrivals(phases, MonoTime(), 5);
  double sum = 0;
  double squares = 0;
  for (size_t i = 1; i < arrivals.size(); ++i) {
    const double gap = ToSeconds(arrivals[i] - arrivals[i - 1]);
    sum += gap;
    squares += gap * gap;
  }
  const double count = static_cast<double>(arrivals.size() - 1);
  const double mean = sum / count;
  EXPECT_NEAR((squares / count - mean * mean) / (mean * mean), 1.0, 0.1);  // CV^2 of an exponential
}

TEST(ArrivalsTest, InstantsAscendAndComeFromTheSeedAlone) {
  const RatePhase phases[] = {{seconds(1), 500, 500}, {seconds(1), 0, 0}, {seconds(1), 500, 0}};
  const std::vector<MonoTime> arrivals = PoissonArrivals(phases, MonoTime(), 6);
  EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end()));
  EXPECT_EQ(CountBetween(arrivals, seconds(1), seconds(2)), 0);
  EXPECT_EQ(arrivals, PoissonArrivals(phases, MonoTime(), 6));
  EXPECT_NE(arrivals, PoissonArrivals(phases, MonoTime(), 7));
}

}  // namespace
}  // namespace anybit::scheduler::sim
