#include "scheduler/feedback/attainment_meter.h"

#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

void Count(AttainmentMeter& meter, int requests, bool has_floor, bool in_time) {
  for (int i = 0; i < requests; ++i) meter.Count(has_floor, in_time);
}

TEST(AttainmentMeterTest, AllIsInTimeBeforeAnyAnswer) {
  const AttainmentMeter meter;
  EXPECT_EQ(meter.with_floor(), 1);
  EXPECT_EQ(meter.without_floor(), 1);
}

TEST(AttainmentMeterTest, TellsRequestsWithAFloorFromTheOthers) {
  AttainmentMeter meter;
  Count(meter, 100, /*has_floor=*/true, /*in_time=*/false);
  EXPECT_LT(meter.with_floor(), 0.02);
  EXPECT_EQ(meter.without_floor(), 1);
}

TEST(AttainmentMeterTest, ForgetsWithinSomeThousandRequests) {
  AttainmentMeter meter;
  Count(meter, 5000, /*has_floor=*/false, /*in_time=*/false);
  Count(meter, 5000, /*has_floor=*/false, /*in_time=*/true);
  EXPECT_GT(meter.without_floor(), 0.999);
}

TEST(AttainmentMeterTest, AShareWithoutNewAnswersStaysAsItWas) {
  AttainmentMeter meter;
  Count(meter, 100, /*has_floor=*/true, /*in_time=*/false);
  const double before = meter.with_floor();
  Count(meter, 100000, /*has_floor=*/false, /*in_time=*/true);
  EXPECT_NEAR(meter.with_floor(), before, 1e-9);
}

}  // namespace
}  // namespace anybit::scheduler
