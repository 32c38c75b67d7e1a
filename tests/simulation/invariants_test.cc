// What holds in every run, over one thousand random worlds: each request ends exactly once and rightly so, batches keep
// to limits, floors and slots, no slot idles beside a feasible request unless the policy is one that waits for fuller
// batches, and the same world runs the same way again.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "scheduler/request.h"
#include "tests/simulation/workload.h"

namespace anybit::simulation {
namespace {

constexpr uint64_t kWorlds = 1000;

// These leave a slot idle on purpose until a batch is full or must start. That they do not wait anyone to death is what
// Check sees to; that it never had to is among the invariants.
bool MayWait(const std::string& policy) { return policy == "deferred" || policy == "accuracy-scaling"; }

// Keeps its own books from the trace, apart from the engine's, and looks at them after every instant.
class Ledger {
 public:
  Ledger(const Workload& workload, const scheduler::testing::Rig& rig)
      : workload_(workload), rig_(rig), requests_on_(static_cast<size_t>(workload.runner.slots)) {}

  void AfterInstant() {
    for (; admitted_ < rig_.trace.admitted().size(); ++admitted_) {
      waiting_or_running_.insert(rig_.trace.admitted()[admitted_].id);
    }
    for (; ended_ < rig_.trace.ended().size(); ++ended_) {
      waiting_or_running_.erase(rig_.trace.ended()[ended_].id);
    }
    // A slot finishes before it is used again, so the ends of an instant come before its starts.
    for (; finished_ < rig_.trace.finished().size(); ++finished_) {
      int& requests = requests_on_[static_cast<size_t>(rig_.trace.finished()[finished_].slot)];
      EXPECT_GT(requests, 0) << "a batch finished on an idle slot";
      requests = 0;
    }
    for (; dispatched_ < rig_.trace.dispatched().size(); ++dispatched_) Start(rig_.trace.dispatched()[dispatched_]);
    if (!MayWait(workload_.policy)) ExpectNothingWaitsBesideAnIdleSlot();
  }

 private:
  void Start(const scheduler::DispatchedEvent& event) {
    EXPECT_GE(event.rows, 1);
    EXPECT_LE(event.rows, workload_.profile.max_batch);
    EXPECT_LE(event.predicted, event.earliest_slack) << "a batch was started that was predicted to be late";
    int& requests = requests_on_.at(static_cast<size_t>(event.slot));
    EXPECT_EQ(requests, 0) << "a batch was started on a busy slot";
    requests = event.requests;
  }

  // A policy that does not wait runs or refuses whoever stands before an idle slot.
  void ExpectNothingWaitsBesideAnIdleSlot() const {
    int running = 0;
    int idle_slots = 0;
    for (const int requests : requests_on_) {
      running += requests;
      idle_slots += requests == 0;
    }
    if (idle_slots > 0) {
      EXPECT_EQ(waiting_or_running_.size(), static_cast<size_t>(running));
    }
  }

  const Workload& workload_;
  const scheduler::testing::Rig& rig_;
  size_t admitted_ = 0;
  size_t ended_ = 0;
  size_t finished_ = 0;
  size_t dispatched_ = 0;
  std::set<scheduler::RequestId> waiting_or_running_;
  std::vector<int> requests_on_;  // by slot
};

void ExpectRightlyServed(const WorkloadRequest& request, const scheduler::testing::Answer& answer,
                         const Workload& workload) {
  EXPECT_TRUE(request.allowed.Contains(answer.outcome.point)) << "a floor was broken";
  EXPECT_GE(answer.outcome.batch_rows, request.rows);
  EXPECT_LE(answer.outcome.batch_rows, workload.profile.max_batch);
  EXPECT_GE(answer.outcome.queue_time, Duration::zero());
  EXPECT_EQ(answer.outcome.queue_time + answer.outcome.compute_time, answer.at - request.arrival);
  if (answer.outcome.kind == scheduler::OutcomeKind::kServed) {
    EXPECT_EQ(answer.outcome.deadline_met, answer.at <= request.deadline);
    EXPECT_EQ(answer.outcome.expected_accuracy,
              workload.profile.points[static_cast<size_t>(ToIndex(answer.outcome.point))].accuracy);
  }
}

bool HasWeights(const Workload& workload) {
  return !workload.options.class_weights.empty() || !workload.options.tenant_shares.empty();
}

// That the request ended in this way at this instant for the reason there is for it.
void ExpectRightlyEnded(const WorkloadRequest& request, const scheduler::testing::Answer& answer,
                        const Workload& workload) {
  EXPECT_EQ(answer.outcome.kind == scheduler::OutcomeKind::kServed, answer.outcome.status.ok());
  switch (answer.outcome.kind) {
    case scheduler::OutcomeKind::kServed: ExpectRightlyServed(request, answer, workload); break;
    case scheduler::OutcomeKind::kFailed:
      EXPECT_GT(workload.runner.fail_one_in, 0);
      ExpectRightlyServed(request, answer, workload);
      break;
    case scheduler::OutcomeKind::kShed:
      EXPECT_EQ(answer.outcome.status.code(), absl::StatusCode::kResourceExhausted);
      if (request.deadline == kNever) {
        EXPECT_TRUE(answer.at == request.arrival || HasWeights(workload))
            << "only a full queue refuses a request without a deadline, or one of more weight pushes it out of one";
        EXPECT_LT(workload.options.max_queue_requests, 10000);
      } else {
        EXPECT_LT(answer.at, request.deadline);
      }
      break;
    case scheduler::OutcomeKind::kExpired:
      EXPECT_EQ(answer.outcome.status.code(), absl::StatusCode::kDeadlineExceeded);
      EXPECT_TRUE(answer.at == request.arrival || answer.at == request.deadline)
          << "neither told at its arrival that it is impossible, nor at its deadline that it is over";
      break;
    case scheduler::OutcomeKind::kCancelled:
      EXPECT_EQ(answer.outcome.status.code(), absl::StatusCode::kCancelled);
      ASSERT_TRUE(request.cancel_at.has_value());
      EXPECT_GE(answer.at, *request.cancel_at);
      break;
    case scheduler::OutcomeKind::kUnavailable:
      EXPECT_EQ(answer.outcome.status.code(), absl::StatusCode::kUnavailable);
      ASSERT_TRUE(workload.drain_at.has_value());
      EXPECT_GE(answer.at, *workload.drain_at);
      break;
  }
}

struct Counts {
  std::map<scheduler::OutcomeKind, int> kinds;
  int expired_waiting = 0;  // that were admitted first
  int shed_waiting = 0;
  int served_late = 0;
  int served_without_deadline = 0;
};

void Count(const WorkloadRequest& request, const scheduler::testing::Answer& answer, Counts& counts) {
  const scheduler::OutcomeKind kind = answer.outcome.kind;
  ++counts.kinds[kind];
  counts.expired_waiting += kind == scheduler::OutcomeKind::kExpired && answer.at > request.arrival;
  counts.shed_waiting += kind == scheduler::OutcomeKind::kShed && answer.at > request.arrival;
  counts.served_late += kind == scheduler::OutcomeKind::kServed && !answer.outcome.deadline_met;
  counts.served_without_deadline += kind == scheduler::OutcomeKind::kServed && request.deadline == kNever;
}

// Runs the world, expects the invariants, returns the hash of its trace.
uint64_t RunWorld(const Workload& workload, Counts& counts) {
  int drained = 0;
  const std::unique_ptr<scheduler::testing::Rig> rig = Prepare(workload, drained);
  Ledger ledger(workload, *rig);
  while (rig->loop.RunInstant()) ledger.AfterInstant();

  for (size_t i = 0; i < workload.requests.size(); ++i) {
    const auto tag = static_cast<int64_t>(i);
    SCOPED_TRACE(tag);
    const scheduler::testing::Answer& answer = rig->answer(tag);  // exactly one
    if (answer.outcome.payload == nullptr) {
      ADD_FAILURE() << "lost its payload";
      continue;
    }
    EXPECT_EQ(static_cast<const scheduler::testing::TaggedPayload&>(*answer.outcome.payload).tag, tag);
    ExpectRightlyEnded(workload.requests[i], answer, workload);
    Count(workload.requests[i], answer, counts);
  }
  EXPECT_EQ(rig->trace.ended().size(), workload.requests.size());
  EXPECT_EQ(rig->trace.replaced_decisions(), 0);
  EXPECT_EQ(drained, workload.drain_at ? 1 : 0);
  return rig->trace.hash();
}

TEST(InvariantsTest, HoldInOneThousandWorldsThatRunTheSameWayTwice) {
  Counts counts;
  int worlds_of_anybit = 0;
  for (uint64_t seed = 0; seed < kWorlds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const Workload workload = RandomWorkload(seed);
    worlds_of_anybit += workload.policy == "anybit";
    const uint64_t hash = RunWorld(workload, counts);
    EXPECT_EQ(RunWorld(RandomWorkload(seed), counts), hash) << "the same seed gave another trace";
  }
  // The worlds are varied enough for the above to mean something.
  for (int kind = 0; kind < scheduler::kOutcomeKinds; ++kind) {
    EXPECT_GT(counts.kinds[static_cast<scheduler::OutcomeKind>(kind)], 500)
        << scheduler::OutcomeName(static_cast<scheduler::OutcomeKind>(kind));
  }
  EXPECT_GT(counts.expired_waiting, 100);
  EXPECT_GT(counts.shed_waiting, 500);
  EXPECT_GT(counts.served_late, 500);
  EXPECT_GT(counts.served_without_deadline, 500);
  EXPECT_GT(worlds_of_anybit, 450);
}

TEST(InvariantsTest, DifferentSeedsGiveDifferentTraces) {
  Counts counts;
  std::set<uint64_t> hashes;
  for (uint64_t seed = 0; seed < 100; ++seed) hashes.insert(RunWorld(RandomWorkload(seed), counts));
  EXPECT_EQ(hashes.size(), 100u);
}

}  // namespace
}  // namespace anybit::simulation
