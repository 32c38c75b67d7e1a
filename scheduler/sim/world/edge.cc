#include "scheduler/sim/world/edge.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/random.h"

namespace anybit::scheduler::sim {
namespace {

// As server/inference_service.cc.
constexpr uint64_t kDeliverySampling = 8;

}  // namespace

void Edge::Call(SubmitRequest request, Done done) {
  processor_.Add(
      Worker::kEdge, world_.receive_cost, [this, request = std::move(request), done = std::move(done)]() mutable {
        if (request.deadline >= loop_.Now()) return Submit(std::move(request), std::move(done));
        std::move(done)({.kind = OutcomeKind::kExpired,
                         .status = absl::DeadlineExceededError("the deadline passed before the call was received")});
      });
}

void Edge::Submit(SubmitRequest request, Done done) {
  const MonoTime deadline = request.deadline;
  if (const std::optional<Duration> retry_after = scheduler_.RefuseEarly(deadline)) {
    Outcome refused{.kind = OutcomeKind::kShed,
                    .status = absl::ResourceExhaustedError("refused at the edge"),
                    .ended = loop_.Now(),
                    .retry_after = *retry_after};
    const bool sampled = early_refusals_++ % kDeliverySampling == 0;
    return Reply(deadline, sampled, std::move(refused), std::move(done));
  }
  auto id = std::make_shared<RequestId>();  // is known before the outcome, but only after Submit
  *id = scheduler_.Submit(std::move(request), [this, deadline, id, done = std::move(done)](Outcome outcome) mutable {
    const bool sampled = static_cast<uint64_t>(*id) % kDeliverySampling == 0;
    Reply(deadline, sampled, std::move(outcome), std::move(done));
  });
}

void Edge::Reply(MonoTime deadline, bool sampled, Outcome outcome, Done done) {
  const bool served = outcome.kind == OutcomeKind::kServed;
  auto send = [this, deadline, sampled, outcome = std::move(outcome), done = std::move(done)]() mutable {
    const MonoTime reached = loop_.Now() + TransmissionTime();
    loop_.PostAt(
        reached, [this, deadline, sampled, reached, outcome = std::move(outcome), done = std::move(done)]() mutable {
          if (sampled && outcome.kind == OutcomeKind::kServed) {
            scheduler_.Delivered(outcome.ended, reached > deadline ? deadline - outcome.ended : Duration::zero());
          }
          if (sampled && outcome.kind != OutcomeKind::kServed) scheduler_.RefusalSent(outcome.ended);
          std::move(done)(std::move(outcome));
        });
  };
  processor_.Add(Worker::kEdge, served ? world_.answer_cost : world_.refuse_cost, std::move(send));
}

Duration Edge::TransmissionTime() {
  const double medians = Exponential(random_) / std::numbers::ln2;
  const double nanoseconds = medians * static_cast<double>(world_.transmission_median.count());
  return std::min(Duration(std::llround(nanoseconds)), world_.transmission_limit);
}

}  // namespace anybit::scheduler::sim
