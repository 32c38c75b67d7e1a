// A batch limit by additive increase and multiplicative decrease, as Clipper finds it: it grows by one row with each
// batch whose members were all in time, and shrinks by a tenth with each that had a late one. Within 1..max_batch.
#ifndef ANYBIT_SCHEDULER_FEEDBACK_AIMD_LIMIT_H_
#define ANYBIT_SCHEDULER_FEEDBACK_AIMD_LIMIT_H_

namespace anybit::scheduler {

class AimdLimit {
 public:
  // max_batch >= 1.
  explicit AimdLimit(int max_batch) : max_rows_(max_batch) {}

  // A batch finished.
  void Observe(bool all_in_time);

  double rows() const { return rows_; }

 private:
  double max_rows_;
  double rows_ = 1;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_FEEDBACK_AIMD_LIMIT_H_
