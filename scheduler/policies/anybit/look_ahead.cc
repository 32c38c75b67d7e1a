#include "scheduler/policies/anybit/look_ahead.h"

#include <algorithm>

namespace anybit::scheduler {
namespace {

class LookAhead {
 public:
  LookAhead(const Outlook& outlook, const LaterBatches& later, const RemainingQueue& queue, SlotTimes& free,
            double margin, int batch_rows);

  // Whether everything in the queue and all expected arrivals can be in time.
  bool AllInTime();

 private:
  enum class Verdict { kUnknown, kAllInTime, kSomeLate };

  // Whether something is late even if all before it run in the best batches on all slots: a few looks at the queue and
  // at the horizon, which mostly spare the steps where there is too much to do.
  bool IsLateAnyway() const;
  Verdict RunNext();
  // The queue holds more than a full batch: arrivals do not matter yet.
  Verdict RunFullBatch(size_t slot);
  // The queue and the arrivals until the batch starts.
  Verdict RunWithArrivals(size_t slot);

  const Outlook& outlook_;
  const LaterBatches& later_;
  const RemainingQueue& queue_;
  SlotTimes& free_;
  const double margin_;
  const double queued_;     // rows
  const double used_from_;  // all slots have been used once from then on
  int full_rows_ = 0;       // of a full batch, with its times
  double full_time_ = 0;
  double full_typical_ = 0;
  double served_ = 0;     // rows, of the queue and then of arrivals
  int last_rows_;         // that the last batch could have run
  int calm_batches_ = 0;  // in a row that were not full and did not grow, on slots that have all been used
};

LookAhead::LookAhead(const Outlook& outlook, const LaterBatches& later, const RemainingQueue& queue, SlotTimes& free,
                     double margin, int batch_rows)
    : outlook_(outlook),
      later_(later),
      queue_(queue),
      free_(free),
      margin_(margin),
      queued_(queue.rows()),
      used_from_(free_.count() == 1 ? 0 : free_.Latest()),
      last_rows_(batch_rows) {}

bool LookAhead::AllInTime() {
  if (IsLateAnyway()) return false;
  full_rows_ = later_.Efficient(outlook_.max_rows());
  full_time_ = later_.Predict(full_rows_);
  full_typical_ = later_.Typical(full_rows_);
  for (int step = 0; step < outlook_.options().max_lookahead_batches; ++step) {
    const Verdict verdict = RunNext();
    if (verdict != Verdict::kUnknown) return verdict == Verdict::kAllInTime;
  }
  // Nothing is late so far: nothing is later either, unless more rows come than full batches carry.
  return outlook_.rate() * later_.Typical(outlook_.max_rows()) <= free_.count() * outlook_.max_rows();
}

bool LookAhead::IsLateAnyway() const {
  const double cost = later_.Cost();
  const auto is_late = [&](double rows, double slack) { return cost * rows > free_.Room(slack); };
  if (queue_.count > outlook_.max_rows()) {
    for (const int index : {queue_.count - 1, queue_.count / 2, queue_.count / 4}) {
      if (is_late((index + 1) * queue_.rows_each, queue_.Slack(outlook_, index))) return true;
    }
  }
  if (outlook_.objective() <= 0) return false;
  for (const double h : {outlook_.horizon(), outlook_.options().horizon / 4 * outlook_.objective()}) {
    if (is_late(queued_ + outlook_.ArrivedBy(h, margin_), h + outlook_.objective())) return true;
  }
  return false;
}

LookAhead::Verdict LookAhead::RunNext() {
  const size_t slot = free_.First();
  return queued_ - served_ >= outlook_.max_rows() ? RunFullBatch(slot) : RunWithArrivals(slot);
}

LookAhead::Verdict LookAhead::RunFullBatch(size_t slot) {
  const int index = static_cast<int>(queue_.rows_each == 1 ? served_ : served_ / queue_.rows_each);
  if (free_[slot] + full_time_ > queue_.Slack(outlook_, index)) return Verdict::kSomeLate;
  last_rows_ = outlook_.max_rows();
  calm_batches_ = 0;
  free_[slot] += full_typical_;
  served_ += full_rows_;
  return Verdict::kUnknown;
}

LookAhead::Verdict LookAhead::RunWithArrivals(size_t slot) {
  double start = free_[slot];
  const bool queue_is_served = served_ >= queued_;
  const double objective = outlook_.objective();
  if (queue_is_served && (objective <= 0 || start >= outlook_.horizon())) return Verdict::kAllInTime;
  double waiting = queued_ - served_ + (objective > 0 ? outlook_.ArrivedBy(start, margin_) : 0);
  if (waiting < 1) {
    start = outlook_.ArrivalOf(served_ + 1 - queued_, margin_);
    if (start >= outlook_.horizon()) return Verdict::kAllInTime;
    waiting = 1;
  }
  const int can_run = std::min(static_cast<int>(waiting), outlook_.max_rows());
  const int rows = later_.Efficient(can_run);
  const double slack = queue_is_served ? outlook_.ArrivalOf(served_ + 1 - queued_, margin_) + objective
                                       : queue_.Slack(outlook_, static_cast<int>(served_ / queue_.rows_each));
  const bool calm = queue_is_served && start >= used_from_ && can_run < outlook_.max_rows() && can_run <= last_rows_;
  calm_batches_ = calm ? calm_batches_ + 1 : 0;
  if (start + later_.Predict(rows) > slack) return Verdict::kSomeLate;
  if (calm_batches_ > 2 * (free_.count() - 1)) return Verdict::kAllInTime;  // the queue stays short
  last_rows_ = can_run;
  free_[slot] = start + later_.Typical(rows);
  served_ += rows;
  return Verdict::kUnknown;
}

}  // namespace

bool AllInTime(const Outlook& outlook, const LaterBatches& later, const RemainingQueue& queue, SlotTimes& free,
               double margin, int batch_rows) {
  return LookAhead(outlook, later, queue, free, margin, batch_rows).AllInTime();
}

}  // namespace anybit::scheduler
