#include "scheduler/sim/world/edge.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "scheduler/admission/admission.h"
#include "scheduler/policies/registry.h"
#include "scheduler/sim/world/shared_runner.h"
#include "scheduler/sim/world/sim_event_loop.h"
#include "scheduler/sim/world/trace_recorder.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler::sim {
namespace {

using scheduler::testing::kAnyPoint;
using scheduler::testing::T;
using scheduler::testing::ThreePoints;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// Without chance: no noise, no stall, a transmission of no time.
constexpr WorldOptions kExact{.world = World::kServer,
                              .receive_cost = microseconds(200),
                              .refuse_cost = microseconds(100),
                              .answer_cost = microseconds(500),
                              .transmission_median = Duration(0),
                              .stall_one_in = 0};

class DeliveryRecorder final : public SchedulerObserver {
 public:
  void OnDelivered(const DeliveredEvent& event) override { delivered.push_back(event.took); }
  std::vector<Duration> delivered;
};

class EdgeTest : public ::testing::Test {
 protected:
  void Start(const WorldOptions& world, const std::string& policy = "fixed:lo") {
    policy_ = *MakePolicy(policy, ThreePoints());
    runner_ = std::make_unique<SharedRunner>(loop_, ThreePoints(), world, /*slots=*/1, /*noise=*/0, /*seed=*/1);
    const std::vector<SchedulerObserver*> observers = {&trace_, &deliveries_};
    scheduler_ = std::make_unique<Scheduler>(loop_, *runner_, *policy_, admission_, ThreePoints(), observers,
                                             SchedulerOptions());
    edge_ = std::make_unique<Edge>(loop_, runner_->edge_processor(), *scheduler_, world, /*seed=*/1);
  }

  void CallAt(Duration when, Duration time_left = std::chrono::seconds(1)) {
    loop_.PostAt(T(when), [this, when, time_left] {
      edge_->Call({.deadline = T(when + time_left), .allowed = kAnyPoint}, [this](Outcome outcome) {
        ends_.push_back({outcome.kind, loop_.Now()});
      });
    });
  }

  struct End {
    OutcomeKind kind{};
    MonoTime at{};
  };

  SimEventLoop loop_;
  TraceRecorder trace_;
  DeliveryRecorder deliveries_;
  const AdmissionControl admission_{};
  std::unique_ptr<SchedulingPolicy> policy_;
  std::unique_ptr<SharedRunner> runner_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Edge> edge_;
  std::vector<End> ends_;  // in order
};

TEST_F(EdgeTest, ACallTakesItsReceivingItsBatchAndItsAnswer) {
  Start(kExact);
  CallAt(milliseconds(0));
  loop_.Run();
  ASSERT_EQ(ends_.size(), 1u);
  EXPECT_EQ(ends_[0].kind, OutcomeKind::kServed);
  EXPECT_EQ(ends_[0].at, T(microseconds(200 + 2000 + 500)));
}

TEST_F(EdgeTest, ABatchIsStretchedByTheCallsThatComeMeanwhile) {
  // The batch of 2 ms starts at 0.2 ms. Ten calls from 1 ms on take 2 ms of the edge: until both have had 1.2 ms of
  // the processor, at 3.4 ms, the batch goes at half speed.
  Start(kExact);
  CallAt(milliseconds(0));
  for (int i = 0; i < 10; ++i) CallAt(milliseconds(1));
  loop_.Run();
  EXPECT_EQ(trace_.finished()[0].at, T(microseconds(3400)));
}

TEST_F(EdgeTest, AnEdgeOnItsOwnProcessorStretchesNothing) {
  WorldOptions own = kExact;
  own.edge = EdgeProcessor::kOwn;
  Start(own);
  CallAt(milliseconds(0));
  for (int i = 0; i < 10; ++i) CallAt(milliseconds(1));
  loop_.Run();
  EXPECT_EQ(trace_.finished()[0].at, T(microseconds(2200)));
}

TEST_F(EdgeTest, CallsBehindOthersAreSeenLate) {
  Start(kExact);
  for (int i = 0; i < 10; ++i) CallAt(milliseconds(0));
  loop_.Run();
  EXPECT_EQ(trace_.admitted().front().at, T(microseconds(200)));
  // One of two that go at half speed once the first batch runs: 0.2 + 9 * 0.4 ms.
  EXPECT_EQ(trace_.admitted().back().at, T(microseconds(3800)));
  EXPECT_EQ(trace_.admitted().back().deadline, T(std::chrono::seconds(1))) << "its deadline ran on";
}

TEST_F(EdgeTest, AClientThatGivesUpBeforeItsCallIsReceivedCostsItsReceivingOnly) {
  Start(kExact);
  CallAt(milliseconds(0), microseconds(100));
  CallAt(milliseconds(0), std::chrono::seconds(1));
  loop_.Run();
  ASSERT_EQ(ends_.size(), 2u);
  EXPECT_EQ(ends_[0].kind, OutcomeKind::kExpired);
  EXPECT_EQ(ends_[0].at, T(microseconds(200)));
  EXPECT_EQ(trace_.admitted().size(), 1u);
  EXPECT_EQ(trace_.ended().size(), 1u) << "the scheduler never saw the other";
  EXPECT_EQ(ends_[1].at, T(microseconds(400 + 2000 + 500)));
}

TEST_F(EdgeTest, ARefusalCostsItsReceivingAndItsSending) {
  Start(kExact);
  CallAt(milliseconds(0), milliseconds(1));  // the fastest point takes 2 ms
  loop_.Run();
  ASSERT_EQ(ends_.size(), 1u);
  EXPECT_NE(ends_[0].kind, OutcomeKind::kServed);
  EXPECT_EQ(ends_[0].at, T(microseconds(300)));
}

TEST_F(EdgeTest, OneDeliveryInEightIsReported) {
  Start(kExact);
  for (int i = 0; i < 40; ++i) CallAt(milliseconds(10 * i));
  loop_.Run();
  EXPECT_EQ(deliveries_.delivered, std::vector<Duration>(5, microseconds(500)));
}

TEST_F(EdgeTest, AnAnswerThatCameTooLateIsReportedToo) {
  Start(kExact);
  // The batch ends 2.2 ms after the call, the answer is there after 2.7 ms; its caller gave up after 2.6 ms.
  for (int i = 1; i <= 8; ++i) CallAt(milliseconds(10 * i), microseconds(2600));
  loop_.Run();
  EXPECT_EQ(deliveries_.delivered, std::vector<Duration>(1, microseconds(500)));
}

TEST_F(EdgeTest, TransmissionTimesHaveTheirMedianAndTheirLimit) {
  WorldOptions world = kExact;
  world.transmission_median = microseconds(500);
  Start(world);
  constexpr int kCalls = 4000;
  for (int i = 0; i < kCalls; ++i) CallAt(milliseconds(20 * i));
  int below_median = 0, at_limit = 0;
  loop_.Run();
  ASSERT_EQ(ends_.size(), static_cast<size_t>(kCalls));
  for (size_t i = 0; i < ends_.size(); ++i) {
    const Duration way = ends_[i].at - T(milliseconds(20 * i) + microseconds(2700));
    EXPECT_GE(way, Duration(0));
    EXPECT_LE(way, milliseconds(4));
    below_median += way < microseconds(500);
    at_limit += way == milliseconds(4);
  }
  EXPECT_NEAR(below_median, kCalls / 2, 100);
  EXPECT_NEAR(at_limit, kCalls / 256, 15);
}

TEST_F(EdgeTest, AStalledBatchEndsSoMuchLaterAndLeavesTheProcessorToTheEdge) {
  WorldOptions world = kExact;
  world.stall_one_in = 1;
  Start(world);
  CallAt(milliseconds(0));
  CallAt(milliseconds(10), milliseconds(1));
  loop_.Run();
  ASSERT_EQ(ends_.size(), 2u);
  EXPECT_EQ(ends_[0].at, T(microseconds(10'300))) << "the refusal, at full speed";
  EXPECT_EQ(ends_[1].at, T(microseconds(200 + 2000 + 20'000 + 500)));
}

}  // namespace
}  // namespace anybit::scheduler::sim
