#include "server/log_observer.h"
#include "server/inference_payload.h"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace anybit::server {
namespace {

using scheduler::OutcomeKind;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LogObserverTest : public ::testing::Test {
 protected:
  LogObserverTest() { model_.network.points = {{.name = "w8a8"}}; }

  const std::vector<std::string>& Lines() {
    log_.Flush();
    return lines_;
  }

  ServedModel model_{.sla_classes = {{.name = "default"}, {.name = "batch"}}, .tenants = {{.name = "default"}}};
  std::vector<std::string> lines_;
  EventLog log_{{}, [this](absl::string_view line) { lines_.emplace_back(line); }, [] { return WallTime(); }};
};

TEST_F(LogObserverTest, ARefusedRequestIsLoggedWithTheReasonThatItsClientGets) {
  LogObserver observer(model_, log_);
  const absl::Status status = absl::ResourceExhaustedError("queue of 9 requests is full (limit 9)");
  observer.OnEnded({.id = scheduler::RequestId{17},
                    .kind = OutcomeKind::kShed,
                    .sla_class = scheduler::SlaClassId{1},
                    .rows = 3,
                    .total_time = std::chrono::microseconds(250),
                    .status = &status});
  EXPECT_THAT(Lines(),
              ElementsAre(HasSubstr("warning request_refused outcome=shed id=17 sla_class=batch tenant=default "
                                    "rows=3 age_us=250 reason=\"queue of 9 requests is full (limit 9)\"\n")));
}

TEST_F(LogObserverTest, ARefusedRequestIsNamedAsItsClientNamesIt) {
  LogObserver observer(model_, log_);
  InferencePayload payload;
  payload.request_id = "order 7";
  payload.trace_id = "0af7651916cd43dd8448eb211c80319c";
  observer.OnEnded({.kind = OutcomeKind::kExpired, .rows = 1, .payload = &payload});
  EXPECT_THAT(Lines(), ElementsAre(HasSubstr("request=\"order 7\" trace=0af7651916cd43dd8448eb211c80319c\n")));
}

TEST_F(LogObserverTest, AFailedRequestIsAnErrorWithItsOperatingPoint) {
  LogObserver observer(model_, log_);
  const absl::Status status = absl::InternalError("device lost");
  observer.OnEnded({.kind = OutcomeKind::kFailed, .rows = 1, .status = &status});
  EXPECT_THAT(Lines(), ElementsAre(AllOf(HasSubstr(" error request_failed outcome=failed"),
                                         HasSubstr("operating_point=w8a8 reason=\"device lost\"\n"))));
}

TEST_F(LogObserverTest, ServedAndCancelledRequestsAreNotLogged) {
  LogObserver observer(model_, log_);
  observer.OnEnded({.kind = OutcomeKind::kServed});
  observer.OnEnded({.kind = OutcomeKind::kCancelled});
  EXPECT_THAT(Lines(), IsEmpty());
}

TEST_F(LogObserverTest, AReplacedDecisionNamesThePolicyAndTheMistake) {
  LogObserver observer(model_, log_);
  observer.OnDecisionReplaced({.policy = "odd", .reason = absl::InternalError("no such slot")});
  EXPECT_THAT(Lines(), ElementsAre(HasSubstr(" error decision_replaced policy=odd reason=\"no such slot\"\n")));
}

class CountingObserver : public EdgeObserver {
 public:
  void OnInvalid(const absl::Status&) override { ++calls; }
  void OnUnavailable() override { ++calls; }
  void OnShed(scheduler::ShedReason) override { ++calls; }
  void OnExpired() override { ++calls; }
  void OnRefusedCall(RefusedCallReason) override { ++calls; }

  int calls = 0;
};

void TellAll(EdgeObserver& edge) {
  edge.OnInvalid(absl::InvalidArgumentError("input 'image' is missing"));
  edge.OnUnavailable();
  edge.OnShed(scheduler::ShedReason::kMemory);
  edge.OnExpired();
  edge.OnRefusedCall(RefusedCallReason::kMalformedMessage);
}

TEST_F(LogObserverTest, EventsOfTheEdgeAreLoggedAndHandedOn) {
  CountingObserver next;
  EdgeLog edge(next, &log_);
  TellAll(edge);
  EXPECT_EQ(next.calls, 5);
  EXPECT_THAT(Lines(), ElementsAre(HasSubstr("request_invalid reason=\"input 'image' is missing\"\n"),
                                   HasSubstr("request_refused outcome=unavailable"),
                                   HasSubstr("request_refused outcome=shed reason=\"before it was read: memory\"\n"),
                                   HasSubstr("request_refused outcome=expired"),
                                   HasSubstr("call_refused reason=malformed_message\n")));
}

TEST_F(LogObserverTest, WithoutALogEventsAreOnlyHandedOn) {
  CountingObserver next;
  EdgeLog edge(next, nullptr);
  TellAll(edge);
  EXPECT_EQ(next.calls, 5);
}

TEST_F(LogObserverTest, AReasonIsShortHoweverLongItsTextIs) {
  CountingObserver next;
  EdgeLog edge(next, &log_);
  edge.OnInvalid(absl::InvalidArgumentError(std::string(100'000, 'x')));
  EXPECT_LT(Lines()[0].size(), 500);
}

}  // namespace
}  // namespace anybit::server
