// How often the answers of cheaper operating points agree with those of the most accurate one, on the inputs that come.
//
// The measured accuracy of a point holds for the inputs that it was measured on. Clients know labels seldom, but an
// answer can be compared with that of the reference point: where agreement falls, the inputs have changed or a point is
// broken. A row of an answered batch is copied now and then, and runs again while every slot is idle (IdleNetwork).
//
//   LiveAccuracy live(runner, loop, description, reference, 0.01, run_again, report);
//   Scheduler scheduler(loop, live.runner(), ...);
#ifndef ANYBIT_SERVER_LIVE_ACCURACY_LIVE_ACCURACY_H_
#define ANYBIT_SERVER_LIVE_ACCURACY_LIVE_ACCURACY_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/time.h"
#include "model/format/network_description.h"
#include "scheduler/batch_runner.h"
#include "scheduler/loop/event_loop.h"
#include "server/live_accuracy/sampled_runner.h"

namespace anybit::server {

// The point that the others are compared with: of the highest measured accuracy, of several the first; none if there is
// no other point.
std::optional<PointId> ReferencePoint(const model::NetworkDescription& network);

class LiveAccuracy {
 public:
  // Runs a row at the reference point and tells the predicted class, on any thread.
  using RunAgain = std::function<void(std::string input, absl::AnyInvocable<void(absl::StatusOr<int>)> done)>;
  // A row that was answered at `point`. On the loop's thread.
  using Report = std::function<void(PointId point, bool agrees)>;

  // Slots count as idle after so long without a batch: when one ends, the next is about to begin under load.
  static constexpr Duration kQuiet = std::chrono::milliseconds(2);
  // When they are not, a row waits for so long before they are looked at again.
  static constexpr Duration kRetry = std::chrono::milliseconds(20);
  // After a run that fails, for lack of memory for instance, the next comes no sooner.
  static constexpr Duration kRestAfterFailure = std::chrono::seconds(1);

  // Runs take at most `share` of one processor's time, above 0 and at most 1. The references outlive this; the loop has
  // stopped before it ends, and `run_again` tells nothing any more.
  LiveAccuracy(scheduler::BatchRunner& runner, scheduler::EventLoop& loop, const model::NetworkDescription& network,
               PointId reference, double share, RunAgain run_again, Report report);

  // For the scheduler, in place of the runner.
  scheduler::BatchRunner& runner() { return sampled_; }

 private:
  void RunWhenIdle();
  void RunIfQuiet(int64_t batches);
  void RetryLater();
  void RunSample();
  void Compare(MonoTime started, const absl::StatusOr<int>& predicted);

  scheduler::EventLoop& loop_;
  const PointId reference_;
  const double share_;
  const RunAgain run_again_;
  const Report report_;
  RowSample sample_;  // loop thread: that waits or runs
  SampledRunner sampled_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_LIVE_ACCURACY_LIVE_ACCURACY_H_
