// Which share of requests was lately answered in time: of those with and of those without a floor, so that a policy can
// make up for a difference. Both memories fade together, or the more frequent ones would be judged by a shorter time.
#ifndef ANYBIT_SCHEDULER_FEEDBACK_ATTAINMENT_METER_H_
#define ANYBIT_SCHEDULER_FEEDBACK_ATTAINMENT_METER_H_

namespace anybit::scheduler {

class AttainmentMeter {
 public:
  // Counts an answered request. `has_floor`: the request does not accept every point.
  void Count(bool has_floor, bool in_time);

  // 0..1, and 1 before any answer.
  double with_floor() const { return with_floor_.share(); }
  double without_floor() const { return without_floor_.share(); }

 private:
  struct Memory {
    double in_time = 1;
    double answered = 1;
    double share() const { return in_time / answered; }
    void Fade();
  };

  Memory with_floor_;
  Memory without_floor_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_FEEDBACK_ATTAINMENT_METER_H_
