// How far the edge is behind with refusals, until when idle slots wait for it, and when batches yield to it.
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
  // The quickest of so many refusals in a row tells the backlog: each may be slow for its own connection's sake.
  static constexpr size_t kWindow = 4;
  // A backlog of up to this part of the objective is tolerated. In simulated overload of 1.5 to 3 times the capacity
  // at an objective of 30 ms, goodput is about the same from a fifth to a twentieth.
  static constexpr int kToleratedPart = 8;
  // A slot waits at most so many objectives, whatever is measured: refusals may be slow for another reason. By
  // calculation, draining what a batch of 64 rows leaves at three times the capacity takes about one objective of 30
  // ms.
  static constexpr int kLongestWait = 2;

  // Batches run below the edge's priority while the smoothed backlog is above this part of the objective, until it is
  // below half of that. Chosen without a sweep: with 2.5 ms at an objective of 50 ms, one core kept its goodput up to
  // three times the capacity (docs/performance.md).
  static constexpr int kYieldingPart = 20;
  // Each observation has this part in the smoothed backlog. By calculation that is a memory of some 50 ms where one in
  // eight of 2,700 refusals a second is measured.
  static constexpr int kSmoothingPart = 16;

  // A refusal was under way for `took`, until `at`; instants never go back. `objective`: what requests typically have.
  void Observe(Duration took, MonoTime at, Duration objective) {
    // A refusal that hung, on a dead connection for instance, tells no more than that slots may wait.
    recent_[observed_++ % kWindow] = std::clamp(took, Duration::zero(), kLongestWait * objective);
    at_ = at;
    // One refusal that hung tells no more than a long backlog does.
    const Duration level = std::clamp(took, Duration::zero(), objective);
    smoothed_ += (level - smoothed_) / kSmoothingPart;
    const Duration limit = objective / kYieldingPart;
    yields_ = smoothed_ > (yields_ ? limit / 2 : limit);
  }

  // How a batch that starts at `now` stands to the edge. A backlog that nobody confirms any more is worked off.
  BatchPriority Priority(Duration objective, MonoTime now) const {
    const bool is_confirmed = now <= SaturatingAdd(at_, kLongestWait * objective);
    return yields_ && is_confirmed ? BatchPriority::kBelowEdge : BatchPriority::kEqual;
  }

  // Idle slots get no batch before this instant. A backlog that nobody confirms any more is worked off by then.
  // `objective`: what requests typically have; `idle_since`: the end of the last batch.
  MonoTime WaitUntil(Duration objective, MonoTime idle_since) const {
    if (observed_ < kWindow) return MonoTime::min();
    const Duration backlog = *std::min_element(recent_.begin(), recent_.end());
    if (backlog <= objective / kToleratedPart) return MonoTime::min();
    const MonoTime limit = SaturatingAdd(idle_since, kLongestWait * objective);
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
