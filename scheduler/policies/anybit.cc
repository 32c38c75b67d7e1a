#include "scheduler/policies/anybit.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>

namespace anybit {
namespace {

constexpr double kForever = 1e18;
constexpr int kMostSlots = 64;

double Nanoseconds(Duration d) { return static_cast<double>(d.count()); }

bool DominatedEverywhere(const Profile& profile, int point) {
  for (int other = 0; other < static_cast<int>(profile.points.size()); ++other) {
    if (other == point) continue;
    const double gain =
        profile.points[static_cast<size_t>(other)].accuracy - profile.points[static_cast<size_t>(point)].accuracy;
    if (gain < 0) continue;
    bool never_slower = true;
    bool equal = gain == 0;
    for (int b = 1; b <= profile.max_batch && never_slower; ++b) {
      const Duration saved = profile.At(ToPointId(point), b) - profile.At(ToPointId(other), b);
      never_slower = saved >= Duration::zero();
      equal = equal && saved == Duration::zero();
    }
    if (never_slower && (!equal || other < point)) return true;
  }
  return false;
}

}  // namespace

Anybit::Anybit(const Profile& profile, AnybitOptions options) : options_(options) {
  for (int p = 0; p < static_cast<int>(profile.points.size()); ++p) {
    if (DominatedEverywhere(profile, p)) continue;
    Point point{.id = ToPointId(p), .accuracy = profile.points[static_cast<size_t>(p)].accuracy, .cost = kForever};
    for (int b = 1; b <= profile.max_batch; ++b) {
      point.cost = std::min(point.cost, Nanoseconds(profile.At(point.id, b)) / b);
    }
    while (Nanoseconds(profile.At(point.id, point.full)) / point.full > 1.1 * point.cost) ++point.full;
    point.value = point.accuracy / point.cost;
    points_.push_back(point);
  }
  std::stable_sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) {
    return a.accuracy != b.accuracy ? a.accuracy > b.accuracy : a.cost < b.cost;
  });
}

// One decision under way.
class Anybit::Planner {
 public:
  Planner(const Anybit& policy, const SchedulerView& view, Decision& decision)
      : policy_(policy),
        options_(policy.options_),
        view_(view),
        decision_(decision),
        end_(static_cast<int>(view.waiting.size())),
        ratio_(view.latency.typical_permille() / 1000.0),
        objective_(Nanoseconds(view.arrivals.objective)) {
    with_deadline_ = static_cast<int>(
        std::partition_point(view.waiting.begin(), view.waiting.end(),
                             [](const PendingRequest& r) { return r.deadline != kNever; }) -
        view.waiting.begin());
    slots_ = std::min(static_cast<int>(view.slots.size()), kMostSlots);
    for (int s = 0; s < slots_; ++s) {
      const SlotView& slot = view.slots[static_cast<size_t>(s)];
      free_[s] = slot.idle ? 0 : std::max(0.0, Nanoseconds(Until(view.now, slot.free_at)));
    }
  }

  void Plan() {
    for (int s = 0; s < slots_ && begin_ < end_; ++s) {
      if (view_.slots[static_cast<size_t>(s)].idle) PlanSlot(s);
    }
    RefuseHopeless();
  }

 private:
  double Slack(int position) const {
    const MonoTime deadline = view_.waiting[static_cast<size_t>(position)].deadline;
    return deadline == kNever ? kForever : Nanoseconds(deadline - view_.now);
  }
  double Predict(const Point& point, int rows) const { return Nanoseconds(view_.latency.Predict(point.id, rows)); }
  double Cost(const Point& point) const { return point.cost * ratio_; }

  // Slot time until `x` from now, if this slot is busy until `own`.
  double Room(int slot, double own, double x) const {
    double room = 0;
    for (int s = 0; s < slots_; ++s) room += std::max(0.0, x - (s == slot ? own : free_[s]));
    return room;
  }

  void PlanSlot(int slot) {
    while (begin_ < end_ && view_.latency.Fastest(view_.waiting[static_cast<size_t>(begin_)].allowed, 1) >
                                anybit::Slack(view_, view_.waiting[static_cast<size_t>(begin_)])) {
      decision_.shed.push_back(begin_++);
    }
    if (begin_ == end_) return;
    const double head_slack = Slack(begin_);
    const int n = end_ - begin_;
    const int most = std::min(n, view_.latency.max_batch());
    const std::vector<Point>& points = policy_.points_;
    for (size_t i = 0; i < points.size(); ++i) {
      const Point& p = points[i];
      int b = most;
      while (b > 0 && Predict(p, b) > head_slack) --b;
      if (b == 0) continue;
      const Point* next = nullptr;
      for (size_t j = i + 1; j < points.size(); ++j) {
        if (points[j].cost < p.cost) {
          next = &points[j];
          break;
        }
      }
      if (Passes(slot, p, next, b)) {
        Take(slot, p.id, begin_, b);
        return;
      }
    }
    Overload(slot);
  }

  bool Passes(int slot, const Point& p, const Point* next, int b) const {
    const ArrivalForecast& a = view_.arrivals;
    const double own = Predict(p, b);
    double c = Cost(p);
    if (next != nullptr) {
      const double cn = Cost(*next);
      if (objective_ > 0 && a.slow * cn > options_.spare * objective_ * slots_ &&
          std::max(a.fast, a.medium) >= options_.busy * a.slow) {
        return false;
      }
      c = cn + options_.mix * (c - cn);
    }
    const int n = with_deadline_ - begin_;
    const double full = c * p.full;
    if (n > b) {
      // The last head first: it is the likeliest to fail.
      for (int j = b + (n - b - 1) / p.full * p.full; j >= b; j -= p.full) {
        const int k = std::min(j + p.full, n) - b;
        if (c * k - full > Room(slot, own, Slack(begin_ + j) - full)) return false;
      }
    }
    if (objective_ > 0) {
      const double rate = std::max(a.fast, a.medium);
      for (int i = 1; i <= options_.horizons; ++i) {
        const double h = options_.horizon * i / options_.horizons;
        const double m = rate * h;
        const double k = std::max(n - b, 0) + m + options_.burst * std::sqrt(a.dispersion * m) + options_.reserve * p.full;
        if (c * k - full > Room(slot, own, (1 + h) * objective_ - full)) return false;
      }
    }
    return true;
  }

  void Overload(int slot) {
    const int n = end_ - begin_;
    const int most = std::min(n, view_.latency.max_batch());
    double mu = 0;
    for (const Point& p : policy_.points_) mu = std::max(mu, p.value);
    mu /= ratio_;
    double best = -kForever;
    int best_b = 0;
    int best_start = 0;
    PointId best_p{};
    for (const Point& p : policy_.points_) {
      int start = begin_;
      for (int b = 1; b <= most; ++b) {
        const double l = Predict(p, b);
        while (start < end_ && Slack(start) < l) ++start;
        while (start > begin_ && Slack(start - 1) >= l) --start;
        if (end_ - start < b) continue;
        const double score = p.accuracy * b - mu * l;
        if (score > best) {
          best = score;
          best_b = b;
          best_start = start;
          best_p = p.id;
        }
      }
    }
    if (best_b == 0) return;   // cannot be: the head alone is feasible
    for (int i = begin_; i < best_start; ++i) decision_.shed.push_back(i);
    Take(slot, best_p, best_start, best_b);
  }

  void Take(int slot, PointId point, int start, int count) {
    decision_.plans.push_back(
        {.slot = slot, .point = point, .first = static_cast<int>(decision_.members.size()), .count = count});
    for (int i = 0; i < count; ++i) decision_.members.push_back(start + i);
    begin_ = start + count;
    free_[slot] = Nanoseconds(view_.latency.Predict(point, count));
  }

  void RefuseHopeless() {
    double soonest = kForever;
    for (int s = 0; s < slots_; ++s) soonest = std::min(soonest, free_[s]);
    while (begin_ < with_deadline_) {
      const PendingRequest& r = view_.waiting[static_cast<size_t>(begin_)];
      if (soonest * 0.999 + Nanoseconds(view_.latency.FastestLeast(r.allowed, 1)) <= Slack(begin_)) return;
      decision_.shed.push_back(begin_++);
    }
  }

  const Anybit& policy_;
  const AnybitOptions& options_;
  const SchedulerView& view_;
  Decision& decision_;
  int begin_ = 0;
  int end_ = 0;
  int with_deadline_ = 0;
  int slots_ = 1;
  std::array<double, kMostSlots> free_;
  double ratio_;
  double objective_;
};

void Anybit::DecideInto(const SchedulerView& view, Decision& decision) const {
  Planner(*this, view, decision).Plan();
}

}  // namespace anybit
