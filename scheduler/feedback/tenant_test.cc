#include "scheduler/feedback/tenant.h"

#include <chrono>
#include <cstddef>
#include <vector>

#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;

constexpr Duration kObjective = milliseconds(100);
constexpr TenantId kA{0};
constexpr TenantId kB{1};
constexpr TenantId kC{2};

// One of a few requests each objective: those of `a`, then those of `b`, then those of `c`.
MonoTime Take(TenantMeter& meter, MonoTime start, int objectives, int a, int b, int c = 0) {
  MonoTime now = start;
  for (int i = 0; i < objectives; ++i, now += kObjective) {
    if (a > 0) meter.Count(now, kA, a, kObjective);
    if (b > 0) meter.Count(now, kB, b, kObjective);
    if (c > 0) meter.Count(now, kC, c, kObjective);
  }
  return now;
}

double Weight(const TenantMeter& meter, TenantId tenant) { return meter.tenants()[static_cast<size_t>(tenant)].weight; }

TEST(TenantMeterTest, AllTenantsWeighOneAtFirstAndWhileAllTakeTheSame) {
  TenantMeter meter({1, 1, 1});
  for (const TenantId tenant : {kA, kB, kC}) EXPECT_EQ(Weight(meter, tenant), 1);
  Take(meter, MonoTime(), 100, 5, 5, 5);
  for (const TenantId tenant : {kA, kB, kC}) EXPECT_EQ(Weight(meter, tenant), 1);
}

TEST(TenantMeterTest, ATenantBeyondItsShareWeighsTheLessTheMoreItTakes) {
  TenantMeter meter({1, 1, 1});
  const MonoTime end = Take(meter, MonoTime(), 100, 10, 1, 1);
  const double flood = Weight(meter, kA);
  EXPECT_NEAR(flood, 1.1 * 4 / 10, 0.01) << "12 of 3 tenants: 4 each, a tenth more is forgiven";
  EXPECT_EQ(Weight(meter, kB), 1);
  EXPECT_EQ(Weight(meter, kC), 1);
  Take(meter, end, 100, 100, 1, 1);
  EXPECT_LT(Weight(meter, kA), flood);
  EXPECT_EQ(Weight(meter, kB), 1);
}

TEST(TenantMeterTest, ATenantMayTakeInProportionToItsShare) {
  TenantMeter meter({2, 1});
  Take(meter, MonoTime(), 100, 10, 5);
  EXPECT_EQ(Weight(meter, kA), 1);
  EXPECT_EQ(Weight(meter, kB), 1);
  TenantMeter turned({1, 2});
  Take(turned, MonoTime(), 100, 10, 5);
  EXPECT_NEAR(Weight(turned, kA), 1.1 * 5 / 10, 0.01);
}

TEST(TenantMeterTest, TheOnlyActiveTenantMayTakeEverything) {
  TenantMeter meter({1, 1, 1});
  Take(meter, MonoTime(), 100, 1000, 0);
  EXPECT_EQ(Weight(meter, kA), 1);
}

TEST(TenantMeterTest, AFloodIsForgivenWithinSomeTensOfObjectives) {
  TenantMeter meter({1, 1});
  const MonoTime flooded = Take(meter, MonoTime(), 50, 100, 10);
  ASSERT_LT(Weight(meter, kA), 0.7);
  Take(meter, flooded, 100, 10, 10);
  EXPECT_GT(Weight(meter, kA), 0.95);
}

TEST(TenantMeterTest, RowsThatWereTakenBackDoNotCount) {
  TenantMeter meter({1, 1});
  Take(meter, MonoTime(), 1, 10, 10);
  meter.Count(MonoTime(), kA, 30, kObjective);
  ASSERT_LT(Weight(meter, kA), 1);
  meter.Count(MonoTime(), kA, -30, kObjective);
  EXPECT_EQ(Weight(meter, kA), 1);
  meter.Count(MonoTime(), kA, -1000, kObjective);
  EXPECT_EQ(meter.tenants()[0].recent_rows, 0) << "never below nothing";
}

TEST(TenantMeterTest, UnknownTenantsAreNotCounted) {
  TenantMeter meter({1, 1});
  Take(meter, MonoTime(), 10, 5, 5);
  meter.Count(MonoTime(10 * kObjective), TenantId{2}, 1000, kObjective);
  meter.Count(MonoTime(10 * kObjective), TenantId{255}, 1000, kObjective);
  EXPECT_EQ(Weight(meter, kA), 1);
  TenantMeter(std::vector<double>()).Count(MonoTime(), kA, 5, kObjective);
}

TEST(TenantMeterTest, NothingIsForgottenBeforeAnObjectiveIsKnown) {
  TenantMeter meter({1, 1});
  meter.Count(MonoTime(), kA, 10, Duration::zero());
  meter.Count(MonoTime(std::chrono::hours(1)), kB, 10, Duration::zero());
  EXPECT_EQ(meter.tenants()[0].recent_rows, 10);
}

}  // namespace
}  // namespace anybit::scheduler
