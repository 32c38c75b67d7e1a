// Refuses on any thread what the loop would refuse: the queue of the last turn in a few numbers.
//
// A refusal is work: handed to the loop and back it costs two changes of thread, which under overload a slot lacks. The
// loop publishes how much work stands before some of the deadlines that wait, and the receiving thread compares. It
// errs on the side of letting through: a request that passes is decided by AdmissionControl.
#ifndef ANYBIT_SCHEDULER_ADMISSION_EARLY_REFUSAL_H_
#define ANYBIT_SCHEDULER_ADMISSION_EARLY_REFUSAL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/time.h"
#include "scheduler/decision.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

class EarlyRefusal {
 public:
  // From now on the queue of `view` decides, and its slots work it off from `busy_from` on. Nothing is refused early if
  // a slot is idle now and need not wait until then, or if weights vary, since a heavier request may find room where a
  // lighter one does not. `margin` is what deliveries take (DeliveryMeter). Loop thread.
  void Publish(const SchedulerView& view, Duration margin, MonoTime busy_from);
  void Clear();

  // A retry delay if at `now` every request with this deadline would be refused. Any thread.
  std::optional<Duration> Refuses(MonoTime now, MonoTime deadline) const;

  // Why it refuses: kQueueFull where that is what AdmissionControl would say first, else kDeadline. Any thread.
  ShedReason reason() const { return reason_.load(std::memory_order_relaxed); }

  // Whether there are deadlines that are refused. Any thread.
  bool RefusesSome() const;

 private:
  // A request with a run_by no earlier than `run_by` stands behind `work`, its own row included.
  struct Mark {
    MonoTime run_by{};
    Duration work{};
  };
  // At each quarter of the queue: at most a quarter of the work before a request is overlooked.
  static constexpr size_t kMarks = 4;
  struct Queue {
    size_t marks = 0;
    std::array<Mark, kMarks> mark;  // by run_by
    MonoTime busy_from{};           // the slots work from then on
    int slots = 1;
    Duration max_given_up{};  // see AdmissionControl
    Duration margin{};
    Duration drain{};
  };

  mutable absl::Mutex mutex_;
  Queue queue_ ABSL_GUARDED_BY(mutex_);
  std::atomic<ShedReason> reason_ = ShedReason::kDeadline;  // the loop thread writes it, any reads it
  bool published_ = false;                                  // loop thread
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_ADMISSION_EARLY_REFUSAL_H_
