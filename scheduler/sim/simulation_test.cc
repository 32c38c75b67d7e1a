#include "scheduler/sim/simulation.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/sim/traces/arrivals.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler::sim {
namespace {

using scheduler::testing::kHi;
using scheduler::testing::kLo;
using scheduler::testing::kMid;
using scheduler::testing::T;
using scheduler::testing::ThreePoints;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

OfferedRequest Offer(int64_t id, Duration arrival, Duration objective, double min_accuracy = 0) {
  return {.id = id, .arrival = T(arrival), .deadline = T(arrival + objective), .min_accuracy = min_accuracy};
}

std::vector<OfferedRequest> OfferPoisson(double per_second, Duration length, Duration objective) {
  const RatePhase phase{.length = length, .from_per_second = per_second, .to_per_second = per_second};
  std::vector<OfferedRequest> requests;
  for (const MonoTime arrival : PoissonArrivals({&phase, 1}, MonoTime(), 1)) {
    requests.push_back(
        {.id = static_cast<int64_t>(requests.size()), .arrival = arrival, .deadline = arrival + objective});
  }
  return requests;
}

// Every field of every record, to compare runs by.
std::vector<int64_t> Values(const SimulationResult& result) {
  std::vector<int64_t> values;
  for (const RequestRecord& r : result.requests) {
    values.insert(values.end(), {static_cast<int64_t>(r.kind), r.in_time, ToIndex(r.point), r.batch_rows,
                                 r.start.time_since_epoch().count(), r.finish.time_since_epoch().count()});
  }
  for (const BatchRecord& b : result.batches) {
    values.insert(values.end(), {b.start.time_since_epoch().count(), b.slot, ToIndex(b.point), b.rows});
  }
  return values;
}

int InTime(const SimulationResult& result) {
  int count = 0;
  for (const RequestRecord& record : result.requests) count += record.in_time;
  return count;
}

TEST(SimulationTest, AFixedPointServesExactlyAsItsProfileSays) {
  // Request 1 runs alone from 0 to 10 ms; 2 and 3 arrive meanwhile and run together, 10 + 2 ms.
  const std::vector<OfferedRequest> requests = {Offer(1, milliseconds(0), milliseconds(50)),
                                                Offer(2, milliseconds(1), milliseconds(50)),
                                                Offer(3, milliseconds(2), milliseconds(50))};
  const auto result = Simulate(ThreePoints(), requests, {.policy = "fixed:hi"});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->requests.size(), 3u);
  const RequestRecord& first = result->requests[0];
  EXPECT_EQ(first.kind, OutcomeKind::kServed);
  EXPECT_TRUE(first.in_time);
  EXPECT_EQ(first.point, kHi);
  EXPECT_EQ(first.batch_rows, 1);
  EXPECT_EQ(first.start, T(milliseconds(0)));
  EXPECT_EQ(first.finish, T(milliseconds(10)));
  for (const size_t i : {1, 2}) {
    const RequestRecord& record = result->requests[i];
    EXPECT_TRUE(record.in_time);
    EXPECT_EQ(record.batch_rows, 2);
    EXPECT_EQ(record.start, T(milliseconds(10)));
    EXPECT_EQ(record.finish, T(milliseconds(22)));
  }
  EXPECT_THAT(result->batches, ElementsAre(Field(&BatchRecord::rows, 1), Field(&BatchRecord::rows, 2)));
  EXPECT_EQ(result->batches[1].start, T(milliseconds(10)));
  EXPECT_EQ(result->replaced_decisions, 0);
  EXPECT_TRUE(result->decision_ns.empty());
}

TEST(SimulationTest, TwoSlotsRunTwoBatchesAtOnce) {
  const std::vector<OfferedRequest> requests = {Offer(1, milliseconds(0), milliseconds(50)),
                                                Offer(2, milliseconds(1), milliseconds(50))};
  const auto result = Simulate(ThreePoints(), requests, {.policy = "fixed:hi", .slots = 2});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->requests[1].start, T(milliseconds(1)));
  EXPECT_THAT(result->batches, ElementsAre(Field(&BatchRecord::slot, 0), Field(&BatchRecord::slot, 1)));
}

TEST(SimulationTest, UnservableRequestsAreRefusedAndLateArrivalsExpire) {
  const std::vector<OfferedRequest> requests = {Offer(1, milliseconds(0), milliseconds(50), 0.95),  // too high
                                                Offer(2, milliseconds(0), milliseconds(1)),
                                                Offer(3, milliseconds(0), milliseconds(0)),
                                                Offer(4, milliseconds(0), milliseconds(50), 0.85)};
  const auto result = Simulate(ThreePoints(), requests, {.policy = "fixed:lo"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->requests[0].kind, OutcomeKind::kShed);
  EXPECT_EQ(result->requests[1].kind, OutcomeKind::kShed);
  EXPECT_EQ(result->requests[2].kind, OutcomeKind::kExpired);
  EXPECT_EQ(result->requests[3].kind, OutcomeKind::kServed);
  EXPECT_NE(result->requests[3].point, kLo) << "below its floor";
  EXPECT_EQ(InTime(*result), 1);
}

TEST(SimulationTest, ABatchThatTakesLongerThanPredictedIsLate) {
  // Shown 0.25 of the truth, the scheduler runs the most accurate point against a deadline that only "lo" can meet.
  const std::vector<OfferedRequest> requests = {Offer(1, milliseconds(0), milliseconds(4))};
  const auto wrong = Simulate(ThreePoints(), requests, {.policy = "fixed:hi", .profile_ratio = 0.25});
  ASSERT_TRUE(wrong.ok()) << wrong.status();
  EXPECT_EQ(wrong->requests[0].kind, OutcomeKind::kServed);
  EXPECT_FALSE(wrong->requests[0].in_time);
  EXPECT_EQ(wrong->requests[0].finish, T(milliseconds(10))) << "the truth is as before";
  const auto right = Simulate(ThreePoints(), requests, {.policy = "fixed:hi"});
  EXPECT_EQ(right->requests[0].kind, OutcomeKind::kShed);
}

TEST(SimulationTest, NoiseStaysWithinItsLimitsAndReachesThem) {
  const std::vector<OfferedRequest> requests = OfferPoisson(20, std::chrono::seconds(50), milliseconds(500));
  const auto result = Simulate(ThreePoints(), requests, {.policy = "fixed:lo", .noise = 0.1, .seed = 3});
  ASSERT_TRUE(result.ok()) << result.status();
  int64_t least = 2000, most = 0;  // permille
  for (const RequestRecord& record : result->requests) {
    const Duration exact = ThreePoints().At(record.point, record.batch_rows);
    const int64_t permille = (record.finish - record.start) * 1000 / exact;
    least = std::min(least, permille);
    most = std::max(most, permille);
  }
  EXPECT_EQ(least, 900);
  EXPECT_EQ(most, 1100);
}

TEST(SimulationTest, EqualArgumentsGiveEqualResultsAndTheSeedMattersOnlyWithNoise) {
  const std::vector<OfferedRequest> requests = OfferPoisson(900, std::chrono::seconds(1), milliseconds(30));
  const Profile profile = ThreePoints();
  SimulationOptions options{.policy = "slackfit", .slots = 2, .noise = 0.2, .seed = 1};
  const std::vector<int64_t> first = Values(*Simulate(profile, requests, options));
  options.time_decisions = true;
  const SimulationResult timed = *Simulate(profile, requests, options);
  EXPECT_EQ(Values(timed), first) << "reading the clock changed the outcome";
  EXPECT_GE(timed.decision_ns.size(), timed.batches.size() / 2);
  options.seed = 2;
  EXPECT_NE(Values(*Simulate(profile, requests, options)), first);
  options.noise = 0;
  const std::vector<int64_t> exact = Values(*Simulate(profile, requests, options));
  options.seed = 1;
  EXPECT_EQ(Values(*Simulate(profile, requests, options)), exact);
}

TEST(SimulationTest, LaterArrivalsChangeNothingButTheInstants) {
  std::vector<OfferedRequest> requests = OfferPoisson(900, std::chrono::seconds(1), milliseconds(30));
  const SimulationResult early = *Simulate(ThreePoints(), requests, {.policy = "slackfit"});
  const Duration shift = std::chrono::hours(1000);
  for (OfferedRequest& request : requests) {
    request.arrival += shift;
    request.deadline += shift;
  }
  const SimulationResult late = *Simulate(ThreePoints(), requests, {.policy = "slackfit"});
  ASSERT_EQ(early.batches.size(), late.batches.size());
  for (size_t i = 0; i < early.batches.size(); ++i) {
    EXPECT_EQ(early.batches[i].start + shift, late.batches[i].start);
    EXPECT_EQ(early.batches[i].rows, late.batches[i].rows);
  }
}

TEST(SimulationTest, ARequestWithoutDeadlineIsInTimeWheneverItIsServed) {
  const std::vector<OfferedRequest> requests = {{.id = 1, .arrival = T(milliseconds(3))}};
  const auto result = Simulate(ThreePoints(), requests, {.policy = "fixed:mid"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->requests[0].in_time);
  EXPECT_EQ(result->requests[0].point, kMid);
  EXPECT_EQ(result->requests[0].finish, T(milliseconds(8)));
}

TEST(SimulationTest, NoRequestsGiveAnEmptyResult) {
  const auto result = Simulate(ThreePoints(), {}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->requests.empty());
  EXPECT_TRUE(result->batches.empty());
}

TEST(SimulationTest, RefusesInvalidRequestsAndOptions) {
  const std::vector<OfferedRequest> unordered = {Offer(7, milliseconds(2), milliseconds(9)),
                                                 Offer(8, milliseconds(1), milliseconds(9))};
  EXPECT_EQ(Simulate(ThreePoints(), unordered, {}).status(),
            absl::InvalidArgumentError("request 8 arrives before request 7, which precedes it"));
  EXPECT_EQ(Simulate(ThreePoints(), {}, {.slots = 0}).status(), absl::InvalidArgumentError("0 slots are fewer than 1"));
  EXPECT_EQ(Simulate(ThreePoints(), {}, {.noise = 1}).status(),
            absl::InvalidArgumentError("noise 1 is outside 0 to 0.999"));
  EXPECT_EQ(Simulate(ThreePoints(), {}, {.profile_ratio = 0}).status(),
            absl::InvalidArgumentError("profile ratio 0 is not above 0 and at most 1000"));
  EXPECT_THAT(Simulate(ThreePoints(), {}, {.policy = "best"}).status().message(),
              HasSubstr("there is no policy \"best\"; there are "));
}

}  // namespace
}  // namespace anybit::scheduler::sim
