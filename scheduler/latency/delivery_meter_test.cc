#include "scheduler/latency/delivery_meter.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::T;

// As many answers as it takes to be believed.
void Feed(DeliveryMeter& meter, Duration took, MonoTime at = T(seconds(1))) {
  for (int i = 0; i < DeliveryMeter::kMinCount; ++i) meter.Observe(took, at);
}

TEST(DeliveryMeterTest, LeavesDeadlinesAloneBeforeAnythingWasSent) {
  DeliveryMeter meter;
  EXPECT_EQ(meter.margin(T(seconds(1))), Duration::zero());
  EXPECT_EQ(meter.RunBy(T(seconds(2)), T(seconds(1))), T(seconds(2)));
}

TEST(DeliveryMeterTest, KeepsAMarginThatAllButOneInAHundredAnswersKeepTo) {
  DeliveryMeter meter;
  for (int i = 0; i < 100; ++i) meter.Observe(milliseconds(i == 7 ? 100 : 2), T(seconds(1)));
  EXPECT_EQ(meter.margin(T(seconds(1))), milliseconds(2));
  for (int i = 0; i < 100; ++i) meter.Observe(milliseconds(i % 20 == 7 ? 5 : 2), T(seconds(1)));
  EXPECT_EQ(meter.margin(T(seconds(1))), milliseconds(5));
  EXPECT_EQ(meter.RunBy(T(milliseconds(1050)), T(seconds(1))), T(milliseconds(1045)));
}

TEST(DeliveryMeterTest, OneSlowAnswerAmongFewSetsNoMargin) {
  DeliveryMeter meter;
  Feed(meter, milliseconds(1));
  meter.Observe(milliseconds(100), T(seconds(1)));
  EXPECT_EQ(meter.margin(T(seconds(1))), milliseconds(1));
}

TEST(DeliveryMeterTest, AFewAnswersSetNoMargin) {
  DeliveryMeter meter;
  for (int i = 1; i < DeliveryMeter::kMinCount; ++i) meter.Observe(milliseconds(100), T(seconds(1)));
  EXPECT_EQ(meter.margin(T(seconds(1))), Duration::zero());
}

TEST(DeliveryMeterTest, TakesAtMostAQuarterOfTheTimeThatARequestHas) {
  DeliveryMeter meter;
  Feed(meter, milliseconds(5));
  EXPECT_EQ(meter.RunBy(T(milliseconds(1008)), T(seconds(1))), T(milliseconds(1006)));
}

TEST(DeliveryMeterTest, RequestsWithoutADeadlineOrWithAPassedOneKeepIt) {
  DeliveryMeter meter;
  Feed(meter, milliseconds(5));
  EXPECT_EQ(meter.RunBy(kNever, T(seconds(1))), kNever);
  EXPECT_EQ(meter.RunBy(T(seconds(1)), T(seconds(1))), T(seconds(1)));
  EXPECT_EQ(meter.RunBy(T(milliseconds(900)), T(seconds(1))), T(milliseconds(900)));
}

TEST(DeliveryMeterTest, ForgetsMeasurementsThatAreOldOrBeyondTheWindow) {
  DeliveryMeter meter;
  Feed(meter, milliseconds(5));
  EXPECT_EQ(meter.margin(T(seconds(1) + DeliveryMeter::kMemory)), milliseconds(5));
  EXPECT_EQ(meter.margin(T(seconds(1) + DeliveryMeter::kMemory + Duration(1))), Duration::zero());
  for (int i = 0; i < 256; ++i) meter.Observe(milliseconds(9), T(seconds(20)));
  for (int i = 0; i < 256; ++i) meter.Observe(milliseconds(1), T(seconds(20)));
  EXPECT_EQ(meter.margin(T(seconds(20))), milliseconds(1));
}

TEST(DeliveryMeterTest, AClockThatSeemsToGoBackGivesNoNegativeMargin) {
  DeliveryMeter meter;
  Feed(meter, -milliseconds(5));
  EXPECT_EQ(meter.margin(T(seconds(1))), Duration::zero());
}

}  // namespace
}  // namespace anybit::scheduler
