// The backlog of the edge: how long idle slots wait for it, and when batches yield to it.
//
// Refusals are work for the processors that the slots compute on. Beyond some load, receiving and refusing calls needs
// more than the share that is left beside slots that always compute. Then calls are seen late, answers wait behind the
// backlog and arrive late, and everything is computed in vain. A slot that waits until the backlog is gone serves all
// that the processor allows. The backlog shows in how long a refusal is under way: it is small, and sent at once unless
// others come first. Where nothing is refused, nothing is measured and no slot waits.
//
// Waiting is for what is behind already. So that the edge gets behind less, batches run below its threads' priority as
// long as refusals are slow on average.
#ifndef ANYBIT_SCHEDULER_FEEDBACK_EDGE_BACKLOG_H_
#define ANYBIT_SCHEDULER_FEEDBACK_EDGE_BACKLOG_H_

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/time.h"
#include "scheduler/batch.h"

namespace anybit::scheduler {

class EdgeBacklog {
 public:
  // The backlog is the quickest of this many refusals in a row: a single refusal may be slow for its own connection.
  static constexpr size_t kWindow = 4;
  // A backlog of up to the objective divided by this is tolerated. In simulated overload of 1.5 to 3 times the capacity
  // at an objective of 30 ms, goodput is about the same from a fifth to a twentieth.
  static constexpr int kToleranceDivisor = 8;
  // A slot waits at most this many objectives: refusals may be slow for another reason. By
  // calculation, draining what a batch of 64 rows leaves at three times the capacity takes about one objective of 30
  // ms.
  static constexpr int kMaxWaitObjectives = 2;

  // Batches run below the edge's priority while the smoothed backlog is above the objective divided by this, until it
  // is below half of that. Chosen without a sweep: with 2.5 ms at an objective of 50 ms, one core kept its goodput up
  // to three times the capacity (docs/performance.md).
  static constexpr int kYieldDivisor = 20;
  // The smoothed backlog moves by the difference to each observation divided by this. By calculation that is a memory
  // of some 50 ms where one in eight of 2,700 refusals a second is measured.
  static constexpr int kSmoothingDivisor = 16;

  // A refusal was under way for `took`, until `at`; instants never go back. `objective`: what requests typically have.
  void Observe(Duration took, MonoTime at, Duration objective) {
    // A refusal that hung, on a dead connection for instance, tells no more than that slots may wait.
    recent_[observed_++ % kWindow] = std::clamp(took, Duration::zero(), kMaxWaitObjectives * objective);
    at_ = at;
    // One refusal that hung tells no more than a long backlog does.
    const Duration level = std::clamp(took, Duration::zero(), objective);
    smoothed_ += (level - smoothed_) / kSmoothingDivisor;
    const Duration limit = objective / kYieldDivisor;
    yields_ = smoothed_ > (yields_ ? limit / 2 : limit);
  }

  // The priority of a batch that starts at `now`. A backlog without new observations counts as worked off.
  BatchPriority Priority(Duration objective, MonoTime now) const {
    const bool is_confirmed = now <= SaturatingAdd(at_, kMaxWaitObjectives * objective);
    return yields_ && is_confirmed ? BatchPriority::kBelowEdge : BatchPriority::kEqual;
  }

  // Idle slots get no batch before this instant. A backlog without new observations counts as worked off by then.
  // `objective`: what requests typically have; `idle_since`: the end of the last batch.
  MonoTime WaitUntil(Duration objective, MonoTime idle_since) const {
    if (observed_ < kWindow) return MonoTime::min();
    const Duration backlog = *std::min_element(recent_.begin(), recent_.end());
    if (backlog <= objective / kToleranceDivisor) return MonoTime::min();
    const MonoTime limit = SaturatingAdd(idle_since, kMaxWaitObjectives * objective);
    return std::min(SaturatingAdd(at_, backlog), limit);
  }

 private:
  std::array<Duration, kWindow> recent_{};  // a ring
  size_t observed_ = 0;
  MonoTime at_{};  // of the last one
  Duration smoothed_{};
  bool yields_ = false;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_FEEDBACK_EDGE_BACKLOG_H_
