#include "scheduler/policies/anybit/anybit.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <span>
#include <utility>

#include "scheduler/latency/point_ranking.h"

namespace anybit {
namespace {

constexpr double kForever = 1e18;  // ns
constexpr double kNothing = 1e-9;  // of accuracy: less than rounding

// More slots than this are planned as if there were so many: their time is a lower bound then.
constexpr int kMostSlots = 64;

// How far to look ahead, in objectives. Beyond it arrivals are anybody's guess.
constexpr double kHorizon = 2;

// Batches looked ahead at most.
constexpr int kMostSteps = 64;

// In the look-ahead later batches take their time from between the candidate (1) and the next cheaper point (0): should
// it get tighter, they will go down, but then the candidate has not been worth much either.
constexpr double kOwnPart = 0.4;

// Where on a long average a cheaper point alone needs more than this part of the time, and the rate is not below the
// second part of that average, free time is an illusion, whatever the last moments look like.
constexpr double kNoRealSpare = 0.95;
constexpr double kStillBusy = 0.8;

// A batch without deadlines may be so long that those who come meanwhile wait; this part of an objective is within the
// slack of most. Without any objective, as long as people do not notice.
constexpr double kPartOfObjective = 0.25;
constexpr double kLongestWithoutDeadline = 50e6;  // ns

// Requests without a deadline that waited so many objectives take this part of the rows of each batch.
constexpr double kPatience = 20;
constexpr double kAgedPart = 0.25;

// In overload a point of which nothing is known but its profile is tried where it would be worth more than all others
// if it took this part of its time. Beside other work points have been seen to differ by a third from what a quiet
// machine says. The price are four batches now and then that may earn a quarter less, so they are small: this part of
// the largest.
constexpr double kHopedFor = 0.75;
constexpr int kTriedPart = 4;

// A batch whose rows take more than this many times what a row takes at best is not worth its time while there is
// another.
constexpr double kWasteful = 1.5;

// Positions looked at for one batch when requests differ in what they accept.
constexpr int kMostScanned = 256;

// How often among them it is looked whether somebody is late anyway.
constexpr int kLookEvery = 8;

double Nanoseconds(Duration d) { return static_cast<double>(d.count()); }

// One decision under way: what is planned so far, and the rest. Durations are doubles in ns from now.
class Planner {
 public:
  Planner(const SchedulerView& view, Decision& decision)
      : ranking_(view.latency.ranking),
        view_(view),
        decision_(decision),
        end_(static_cast<int>(view.waiting.size())),
        with_deadline_(CountWithDeadline(view)),
        most_rows_(view.latency.max_batch),
        slots_(std::min(static_cast<int>(view.slots.size()), kMostSlots)),
        objective_(Nanoseconds(view.arrivals.objective)),
        rate_(objective_ > 0 ? LikelyRate(view.arrivals) / objective_ : 0),
        aged_(HasAged()),
        alike_(view.waiting_special == 0 && !view.weights_vary && !aged_) {
    for (int s = 0; s < slots_; ++s) {
      const SlotView& slot = view.slots[static_cast<size_t>(s)];
      free_[static_cast<size_t>(s)] = slot.idle ? 0 : std::max(0.0, Nanoseconds(Until(view.now, slot.free_at)));
    }
  }

  void PlanAll() {
    for (size_t s = 0; s < view_.slots.size(); ++s) {
      if (view_.slots[s].idle) PlanSlot(static_cast<int>(s));
    }
    RefuseHopeless();
  }

 private:
  // A batch that may be run: with all alike, positions from `first` on; otherwise the members at the end of
  // decision_.members.
  struct Candidate {
    int first = 0;
    int count = 0;
    int rows = 0;
  };

  // Requests that accept the same points.
  struct Kind {
    PointSet allowed;
    const RankedPoint* most_valuable = nullptr;
    double least_cost = 0;  // of a row, ns
    int rows = 0;
    int rows_with_deadline = 0;
  };

  static int CountWithDeadline(const SchedulerView& view) {
    const auto none = std::partition_point(view.waiting.begin(), view.waiting.end(),
                                           [](const PendingRequest& r) { return r.run_by != kNever; });
    return static_cast<int>(none - view.waiting.begin());
  }

  // Rows per objective to expect: the long average, moved by the shorter ones as far as they are off by more than
  // chance.
  static double LikelyRate(const ArrivalForecast& arrivals) {
    double rate = arrivals.slow;
    const auto correct = [&](double shorter, double length) {
      const double off = shorter - rate;
      const double variance = arrivals.dispersion * std::max(rate, 1.0) / (2 * length);
      rate += off * (off * off / (off * off + variance));
    };
    correct(arrivals.medium, ArrivalForecast::kMediumLength);
    correct(arrivals.fast, ArrivalForecast::kFastLength);
    return std::max(rate, 0.0);
  }

  bool HasAged() const {
    return objective_ > 0 && with_deadline_ < end_ && with_deadline_ > 0 &&
           Nanoseconds(view_.now - At(with_deadline_).arrival) > kPatience * objective_;
  }

  const PendingRequest& At(int position) const { return view_.waiting[static_cast<size_t>(position)]; }
  double Slack(int position) const {
    const MonoTime deadline = At(position).run_by;
    return deadline == kNever ? kForever : Nanoseconds(deadline - view_.now);
  }
  double Predict(const RankedPoint& point, int rows) const {
    return Nanoseconds(view_.latency.Predict(point.id, rows));
  }
  // Of many batches, one after the other.
  double Typical(const RankedPoint& point, int rows) const {
    return Nanoseconds(view_.latency.Typical(point.id, rows));
  }
  double Weight(const PendingRequest& request) const { return RequestWeight(view_, request); }

  bool IsTaken(int position) const {
    for (const Plan& plan : decision_.plans) {
      const std::span<const int> members = decision_.MembersOf(plan);  // ascending
      if (std::binary_search(members.begin(), members.end(), position)) return true;
    }
    return false;
  }

  // Moves begin_ to the next request that is left.
  void SkipTaken() {
    if (alike_) return;
    while (begin_ < end_ && IsTaken(begin_)) ++begin_;
  }

  void PlanSlot(int slot) {
    SkipTaken();
    while (begin_ < end_ && !IsFeasible(view_, At(begin_))) {
      decision_.shed.push_back(begin_++);
      SkipTaken();
    }
    if (begin_ == end_) return;
    if (begin_ >= with_deadline_) {
      RunWithoutDeadline(slot);
      return;
    }
    if (alike_ && QueueIsTooLong()) {
      if (!TriesUntried(slot)) RunWhatEarnsMostOfAlike(slot);
      return;
    }
    if (!alike_) LookAtKinds();
    const bool too_long = !alike_ && scanned_too_long_;
    for (size_t level = 0; level < ranking_.points().size() && !too_long; ++level) {
      if (ranking_.points()[level].dominated_by != 0) continue;
      const RankedPoint& of_head = alike_ ? ranking_.points()[level] : PointAt(level, KindOf(begin_));
      const RankedPoint& of_most = alike_ ? of_head : PointOfMost(level);
      if (Runs(slot, level, of_most, Company::kOwnGroup)) return;
      if (&of_head != &of_most && Runs(slot, level, of_head, Company::kOwnGroup)) return;
      if (!alike_ && Runs(slot, level, of_head, Company::kAnybody)) return;
    }
    if (TriesUntried(slot)) return;
    if (alike_) {
      RunWhatEarnsMostOfAlike(slot);
    } else {
      RunWhatEarnsMostOfMixed(slot);
    }
  }

  // Runs a batch at a point of which too little is known, if there is one that might be worth more than all others.
  bool TriesUntried(int slot) {
    const PointSet untried = view_.latency.untried;
    if (untried.empty()) return false;
    const RankedPoint* best = nullptr;  // of those that somebody accepts
    for (const RankedPoint& point : ranking_.points()) {
      if (SomebodyAccepts(point) && (best == nullptr || point.value > best->value)) best = &point;
    }
    if (best == nullptr || untried.Contains(best->id)) return false;  // it will run anyway
    const int most = std::max(most_rows_ / kTriedPart, At(begin_).rows);
    for (size_t p = 0; p < ranking_.points().size(); ++p) {
      const RankedPoint& point = ranking_.points()[p];
      if (!untried.Contains(point.id) || point.value <= best->value * kHopedFor) continue;
      const size_t scratch = decision_.members.size();
      const Candidate batch = Gather(p, point, Company::kAnybody, most);
      if (batch.count > 0) {
        Take(slot, point, batch, scratch);
        return true;
      }
      decision_.members.resize(scratch);
    }
    return false;
  }
  bool SomebodyAccepts(const RankedPoint& point) const {
    if (alike_) return At(begin_).allowed.Contains(point.id);
    for (int k = 0; k < kinds_; ++k) {
      if (kind_[static_cast<size_t>(k)].allowed.Contains(point.id)) return true;
    }
    return false;
  }

  // Slot time until `x` from now, if slots are free from `free` on.
  double Room(const std::array<double, kMostSlots>& free, double x) const {
    double room = 0;
    for (int s = 0; s < slots_; ++s) room += std::max(0.0, x - free[static_cast<size_t>(s)]);
    return room;
  }
  double Soonest(const std::array<double, kMostSlots>& free) const {
    return *std::min_element(free.begin(), free.begin() + slots_);
  }

  // What a row of this profiled cost typically takes.
  double Typical(double cost) const { return cost * view_.latency.typical_permille / 1000; }

  // Whether somebody is late even if all slots run the best batches of the cheapest point from now on: then no point
  // passes.
  bool QueueIsTooLong() const {
    const int left = with_deadline_ - begin_;
    if (left <= most_rows_) return false;
    const double cost = Typical(ranking_.least_cost());
    for (const int count : {left, left / 2, left / 4}) {
      if (cost * count > Room(free_, Slack(begin_ + count - 1))) return true;
    }
    return false;
  }

  // Who is in a batch: those who run at its point at this level, or all who accept it, in order of urgency.
  enum class Company { kOwnGroup, kAnybody };

  // Runs a batch at `point` where all runs at `level`, if there is room for it.
  bool Runs(int slot, size_t level, const RankedPoint& point, Company company) {
    const size_t scratch = decision_.members.size();
    Candidate batch = Gather(level, point, company, most_rows_);
    if (batch.count > 0 && LeavesRoom(slot, level, point, batch)) {
      Extend(slot, level, batch);
      Take(slot, point, batch, scratch);
      return true;
    }
    decision_.members.resize(scratch);
    return false;
  }

  // Where all runs at `level`: the point with the most rows to run. Small groups can wait to become larger, as long as
  // nobody of them becomes late.
  const RankedPoint& PointOfMost(size_t level) const {
    std::array<int, kMaxPoints> rows{};
    const RankedPoint* most = nullptr;
    for (int k = 0; k < kinds_; ++k) {
      const Kind& kind = kind_[static_cast<size_t>(k)];
      if (kind.rows_with_deadline == 0) continue;
      const RankedPoint& point = PointAt(level, kind);
      int& own = rows[static_cast<size_t>(ToIndex(point.id))];
      own += kind.rows_with_deadline;
      if (most == nullptr || own > rows[static_cast<size_t>(ToIndex(most->id))]) most = &point;
    }
    return *most;
  }

  // Where all runs at a level, that is at one of the points: at which one a request of other floors runs then.
  const RankedPoint& PointAt(size_t level, const Kind& kind) const {
    const RankedPoint& point = ranking_.points()[level];
    return kind.allowed.Contains(point.id) ? point : *kind.most_valuable;
  }

  // Index of the most accurate of the cheaper points below p; p itself if there is none.
  size_t NextCheaper(size_t p) const {
    const std::vector<RankedPoint>& points = ranking_.points();
    for (size_t q = p + 1; q < points.size(); ++q) {
      if (points[q].cost < points[p].cost && points[q].dominated_by == 0) return q;
    }
    return p;
  }

  // What those scanned are, by which points they accept: read once, since several levels and batches ask for it. They
  // are the most urgent ones, as many as there is place for.
  void LookAtKinds() {
    floors_part_ = static_cast<double>(view_.waiting_special) / end_;
    floors_point_ = nullptr;
    kinds_ = 0;
    scanned_from_ = begin_;
    scanned_to_ = std::min(end_, begin_ + kMostScanned);
    scanned_too_long_ = false;
    double work = 0;
    for (int i = begin_; i < scanned_to_; ++i) kind_of_[static_cast<size_t>(i - begin_)] = kNoKind;
    for (const Plan& plan : decision_.plans) {
      for (const int member : decision_.MembersOf(plan)) {
        if (member >= begin_ && member < scanned_to_) kind_of_[static_cast<size_t>(member - begin_)] = kTaken;
      }
    }
    for (int i = begin_; i < scanned_to_; ++i) {
      uint8_t& kind_of = kind_of_[static_cast<size_t>(i - begin_)];
      if (kind_of == kTaken) continue;
      const PendingRequest& request = At(i);
      int k = 0;
      while (k < kinds_ && !(kind_[static_cast<size_t>(k)].allowed == request.allowed)) ++k;
      if (k == kinds_) {
        if (kinds_ == kMostKinds) {
          scanned_to_ = i;
          break;
        }
        kind_[static_cast<size_t>(kinds_++)] = {.allowed = request.allowed,
                                                .most_valuable = &MostValuable(request.allowed),
                                                .least_cost = LeastCost(request.allowed)};
      }
      Kind& kind = kind_[static_cast<size_t>(k)];
      kind.rows += request.rows;
      kind_of = static_cast<uint8_t>(k);
      if (i >= with_deadline_) continue;
      kind.rows_with_deadline += request.rows;
      work += kind.least_cost * request.rows;
      if (i % kLookEvery == 0) scanned_too_long_ |= work > Room(free_, Slack(i));
    }
    for (int k = 0; k < kinds_ && floors_point_ == nullptr; ++k) {
      const Kind& kind = kind_[static_cast<size_t>(k)];
      if (kind.allowed.size() < static_cast<int>(ranking_.points().size())) floors_point_ = kind.most_valuable;
    }
    if (floors_point_ == nullptr) floors_part_ = 0;
  }
  double LeastCost(PointSet allowed) const {
    double least = kForever;
    for (const RankedPoint& point : ranking_.points()) {
      if (allowed.Contains(point.id)) least = std::min(least, point.cost);
    }
    return Typical(least);
  }
  bool IsTakenOfScanned(int position) const {
    return kind_of_[static_cast<size_t>(position - scanned_from_)] == kTaken;
  }
  const Kind& KindOf(int position) const { return kind_[kind_of_[static_cast<size_t>(position - scanned_from_)]]; }

  // The largest batch of up to `most` rows that `point` runs in time, from the most urgent of its company on.
  Candidate Gather(size_t level, const RankedPoint& point, Company company, int most) {
    if (alike_) {
      const double limit = Slack(begin_);
      int rows = std::min(with_deadline_ - begin_, most);
      while (rows > 0 && Predict(point, rows) > limit) --rows;
      rows = point.efficient[static_cast<size_t>(rows)];
      if (rows == 0 || Predict(point, rows) > limit) return {};  // fewer rows may be slower
      return {.first = begin_, .count = rows, .rows = rows};
    }
    Candidate batch;
    passed_over_ = 0;
    std::array<bool, kMostKinds> belongs{};
    for (int k = 0; k < kinds_; ++k) {
      const Kind& kind = kind_[static_cast<size_t>(k)];
      belongs[static_cast<size_t>(k)] =
          company == Company::kAnybody ? kind.allowed.Contains(point.id) : &PointAt(level, kind) == &point;
    }
    const int scanned = std::min(with_deadline_, scanned_to_);
    const bool single = view_.waiting_rows == end_;  // all of one row
    for (int i = begin_; i < scanned && batch.rows < most; ++i) {
      if (IsTakenOfScanned(i)) continue;
      if (belongs[kind_of_[static_cast<size_t>(i - scanned_from_)]] && (single || batch.rows + At(i).rows <= most)) {
        Add(i, batch);
      } else {
        passed_over_at_[static_cast<size_t>(passed_over_++)] = i;
      }
    }
    if (batch.count == 0) return batch;
    const double limit = Slack(decision_.members[decision_.members.size() - static_cast<size_t>(batch.count)]);
    while (batch.count > 0 && Predict(point, batch.rows) > limit) RemoveLast(batch);
    if (aged_ && batch.count > 0) MakeRoomForAged(point, limit, batch);
    return batch;
  }

  void Add(int position, Candidate& batch) {
    decision_.members.push_back(position);
    ++batch.count;
    batch.rows += At(position).rows;
  }
  void RemoveLast(Candidate& batch) {
    batch.rows -= At(decision_.members.back()).rows;
    --batch.count;
    decision_.members.pop_back();
  }

  // Requests that waited long without a deadline replace the least urgent members, the head never.
  void MakeRoomForAged(const RankedPoint& point, double limit, Candidate& batch) {
    const int part = std::max(1, static_cast<int>(batch.rows * kAgedPart));
    std::array<int, kMostScanned> aged;
    int count = 0;
    int rows = 0;
    for (int i = with_deadline_; i < end_ && count < kMostScanned; ++i) {
      if (Nanoseconds(view_.now - At(i).arrival) <= kPatience * objective_) break;
      if (IsTaken(i) || !At(i).allowed.Contains(point.id) || rows + At(i).rows > part) continue;
      const auto end = decision_.members.end();
      if (std::find(end - batch.count, end, i) != end) continue;  // in overload they are members like any other
      aged[static_cast<size_t>(count++)] = i;
      rows += At(i).rows;
    }
    const auto fits = [&](int members_rows) {
      return members_rows + rows <= most_rows_ && Predict(point, members_rows + rows) <= limit;
    };
    int kept = batch.count;
    int kept_rows = batch.rows;
    for (auto last = decision_.members.rbegin(); kept > 1 && !fits(kept_rows); ++last, --kept) {
      kept_rows -= At(*last).rows;
    }
    if (!fits(kept_rows)) return;
    while (batch.count > kept) RemoveLast(batch);
    for (int i = 0; i < count; ++i) Add(aged[static_cast<size_t>(i)], batch);
  }

  // The slack of the request that is number `index` of those left once `batch` runs.
  double SlackOfLeft(const Candidate& batch, int index) const {
    if (alike_) return Slack(begin_ + batch.rows + index);
    if (index < passed_over_) return Slack(passed_over_at_[static_cast<size_t>(index)]);
    const int last = batch.count > 0 ? decision_.members.back() : begin_;
    return Slack(std::min(std::min(last, with_deadline_ - 1) + 1 + index - passed_over_, with_deadline_ - 1));
  }

  // When the j-th row from now arrives if arrivals are `margin` standard deviations above the forecast: with m rows
  // expected, m + margin * sqrt(dispersion * m) come.
  double ArrivalOf(double j, double margin) const {
    if (rate_ <= 0) return kForever;
    const double s = margin * std::sqrt(view_.arrivals.dispersion);
    const double root = (std::sqrt(s * s + 4 * j) - s) / 2;
    return root * root / rate_;
  }
  double ArrivedBy(double t, double margin) const {
    const double m = rate_ * t;
    return m + margin * std::sqrt(view_.arrivals.dispersion * m);
  }

  bool HasNoRealSpare(const RankedPoint& next) const {
    const ArrivalForecast& arrivals = view_.arrivals;
    if (objective_ <= 0 || std::max(arrivals.fast, arrivals.medium) < kStillBusy * arrivals.slow) return false;
    return arrivals.slow * LaterCost(next, next) > kNoRealSpare * objective_ * slots_;
  }

  // Whether everybody else can be in time if `slot` runs `batch` at `own` now and all runs at about this level then.
  bool LeavesRoom(int slot, size_t level, const RankedPoint& own, const Candidate& batch) const {
    const size_t cheaper = NextCheaper(level);
    const RankedPoint& point = ranking_.points()[level];
    const RankedPoint& next = ranking_.points()[cheaper];
    if (cheaper != level && HasNoRealSpare(next)) return false;
    const double margin = cheaper == level ? 0 : ranking_.Margin(level, cheaper);
    std::array<double, kMostSlots> free = free_;
    free[static_cast<size_t>(std::min(slot, slots_ - 1))] = Predict(own, batch.rows);
    const int left = with_deadline_ - begin_ - TakenWithDeadline() - batch.count;
    const double rows_each = left > 0 ? std::max(1.0, static_cast<double>(view_.waiting_rows) / end_) : 1;
    const double queued = std::max(left, 0) * rows_each;
    if (passed_over_ > 0 && !CanStillServePassedOver(free, level)) return false;
    if (IsLateAnyway(free, batch, left, rows_each, margin, point, next)) return false;
    const double all_used = slots_ == 1 ? 0 : *std::max_element(free.begin(), free.begin() + slots_);
    double served = 0;
    int last_rows = batch.rows;
    int calm = 0;
    const int full_rows = point.efficient[static_cast<size_t>(most_rows_)];
    const double full_later = Later(point, next, full_rows), full_typical = LaterTypical(point, next, full_rows);
    for (int step = 0; step < kMostSteps; ++step) {
      size_t s = 0;
      for (size_t i = 1; i < static_cast<size_t>(slots_); ++i) s = free[i] < free[s] ? i : s;
      double start = free[s];
      if (queued - served >= most_rows_) {  // what comes meanwhile does not matter yet
        const int index = static_cast<int>(rows_each == 1 ? served : served / rows_each);
        if (start + full_later > SlackOfLeft(batch, index)) return false;
        last_rows = most_rows_;
        calm = 0;
        free[s] = start + full_typical;
        served += full_rows;
        continue;
      }
      if (served >= queued && (objective_ <= 0 || start >= kHorizon * objective_)) return true;
      double waiting = queued - served + (objective_ > 0 ? ArrivedBy(start, margin) : 0);
      if (waiting < 1) {
        start = ArrivalOf(served + 1 - queued, margin);
        if (start >= kHorizon * objective_) return true;
        waiting = 1;
      }
      const int can_run = std::min(static_cast<int>(waiting), most_rows_);
      const int rows = point.efficient[static_cast<size_t>(can_run)];
      const double slack = served < queued ? SlackOfLeft(batch, static_cast<int>(served / rows_each))
                                           : ArrivalOf(served + 1 - queued, margin) + objective_;
      // Batches that are not full and do not grow, on slots that have all been used since: the queue stays short.
      calm = served >= queued && start >= all_used && can_run < most_rows_ && can_run <= last_rows ? calm + 1 : 0;
      if (start + Later(point, next, rows) > slack) return false;
      if (calm > 2 * (slots_ - 1)) return true;
      last_rows = can_run;
      free[s] = start + LaterTypical(point, next, rows);
      served += rows;
    }
    // Nobody late so far: nobody later either, unless more rows come than full batches carry.
    return rate_ * LaterTypical(point, next, most_rows_) <= slots_ * most_rows_;
  }

  // Time of a later batch, see kOwnPart; those who do not accept the cheap points take their part of it.
  double Later(const RankedPoint& point, const RankedPoint& next, int rows) const {
    return Between(Predict(point, rows), Predict(next, rows), floors_part_ > 0 ? Predict(*floors_point_, rows) : 0);
  }
  double LaterTypical(const RankedPoint& point, const RankedPoint& next, int rows) const {
    return Between(Typical(point, rows), Typical(next, rows), floors_part_ > 0 ? Typical(*floors_point_, rows) : 0);
  }
  // The same of a row in the best batches.
  double LaterCost(const RankedPoint& point, const RankedPoint& next) const {
    return Typical(Between(point.cost, next.cost, floors_part_ > 0 ? floors_point_->cost : 0));
  }
  double Between(double dear, double cheap, double with_floor) const {
    const double later = cheap + kOwnPart * (dear - cheap);
    return floors_part_ > 0 ? later + floors_part_ * std::max(0.0, with_floor - later) : later;
  }

  // Whether the most urgent of those passed over for the batch can be served next, together with the others of its
  // group.
  bool CanStillServePassedOver(const std::array<double, kMostSlots>& free, size_t level) const {
    const int first = passed_over_at_[0];
    const RankedPoint& point = PointAt(level, KindOf(first));
    int rows = 0;
    for (int i = 0; i < passed_over_; ++i) {
      const int position = passed_over_at_[static_cast<size_t>(i)];
      if (&PointAt(level, KindOf(position)) != &point) continue;
      if (rows + At(position).rows <= most_rows_) rows += At(position).rows;
    }
    return Soonest(free) + Predict(point, rows) <= Slack(first);
  }

  // Whether somebody is late even if all before him run in the best batches on all slots: a few looks at the queue and
  // at the horizon that mostly spare the steps where there is too much to do.
  bool IsLateAnyway(const std::array<double, kMostSlots>& free, const Candidate& batch, int left, double rows_each,
                    double margin, const RankedPoint& point, const RankedPoint& next) const {
    const double cost = LaterCost(point, next);
    const auto is_late = [&](double rows, double slack) { return cost * rows > Room(free, slack); };
    if (left > most_rows_) {
      for (const int index : {left - 1, left / 2, left / 4}) {
        if (is_late((index + 1) * rows_each, SlackOfLeft(batch, index))) return true;
      }
    }
    if (objective_ <= 0) return false;
    const double queued = std::max(left, 0) * rows_each;
    for (const double h : {kHorizon * objective_, kHorizon / 4 * objective_}) {
      if (is_late(queued + ArrivedBy(h, margin), h + objective_)) return true;
    }
    return false;
  }

  int TakenWithDeadline() const {
    if (alike_) return 0;
    int taken = 0;
    for (const Plan& plan : decision_.plans) {
      for (const int member : decision_.MembersOf(plan)) taken += member >= begin_ && member < with_deadline_;
    }
    return taken;
  }

  // Fills up with requests without a deadline, as far as there is room for them too.
  void Extend(int slot, size_t level, Candidate& batch) {
    const RankedPoint& point = ranking_.points()[level];
    if (!alike_ || batch.first + batch.count < with_deadline_) return;
    const int most = std::min(most_rows_ - batch.rows, end_ - with_deadline_);
    for (int more = most; more > 0; more /= 2) {
      const Candidate longer{.first = batch.first, .count = batch.count + more, .rows = batch.rows + more};
      if (Predict(point, longer.rows) > Slack(begin_)) continue;
      if (!LeavesRoom(slot, level, point, longer)) continue;
      batch = longer;
      return;
    }
  }

  void RunWithoutDeadline(int slot) {
    const double limit = objective_ > 0 ? kPartOfObjective * objective_ : kLongestWithoutDeadline;
    const PendingRequest& head = At(begin_);
    for (const RankedPoint& point : ranking_.points()) {
      if (!head.allowed.Contains(point.id) || (point.dominated_by & head.allowed.mask()) != 0) continue;
      const size_t scratch = decision_.members.size();
      Candidate batch;
      const int scanned = std::min(end_, begin_ + kMostScanned);
      for (int i = begin_; i < scanned && batch.rows < most_rows_; ++i) {
        if (IsTaken(i) || !At(i).allowed.Contains(point.id) || batch.rows + At(i).rows > most_rows_) continue;
        Add(i, batch);
      }
      while (batch.count > 1 && Predict(point, batch.rows) > limit) RemoveLast(batch);
      Take(slot, point, batch, scratch);
      return;
    }
  }

  int FirstWithSlack(double latency) const {
    const auto first =
        std::partition_point(view_.waiting.begin() + begin_, view_.waiting.begin() + with_deadline_,
                             [&](const PendingRequest& r) { return Nanoseconds(r.run_by - view_.now) < latency; });
    return static_cast<int>(first - view_.waiting.begin());
  }

  // The point and rows that maximise accuracy * rows - (most accuracy per time) * latency: what they earn beyond what
  // their time is worth. Members are the most urgent of those with slack for it.
  void RunWhatEarnsMostOfAlike(int slot) {
    const double most_value =
        ranking_.points()[ranking_.by_value().front()].value * 1000 / view_.latency.typical_permille;
    double best_score = -kForever;
    Candidate best;
    const RankedPoint* best_point = nullptr;
    for (const size_t p : ranking_.by_value()) {
      const RankedPoint& point = ranking_.points()[p];
      // What a row of it earns at most beyond the worth of its time; only the most valuable point loses nothing.
      const double best_per_row = point.accuracy - most_value * Typical(point.cost);
      for (int rows = std::min(with_deadline_ - begin_, most_rows_); rows > 0; --rows) {
        if (std::min(best_per_row, 0.0) <= best_score + kNothing) break;
        const double latency = Predict(point, rows);
        const double score = point.accuracy * rows - most_value * Typical(point, rows);
        if (score <= best_score) continue;
        const int first = FirstWithSlack(latency);
        if (with_deadline_ - first < rows) continue;
        best_score = score;
        best = {.first = first, .count = rows, .rows = rows};
        best_point = &point;
      }
    }
    if (best_point == nullptr) return;  // not so: the head alone is feasible
    const int skipped_from = begin_;
    Take(slot, *best_point, best, decision_.members.size());
    KeepOrRefuse(skipped_from, best.first);
  }

  // With different requests: a batch at one point, of those whose most valuable point it is, so that a floor is no
  // disadvantage in overload. First go the weightiest, then those with or those without a floor, whoever has been
  // answered in time less often lately, then the most urgent; but of equal weight rather those of whom there is a batch
  // worth its time: groups take turns, not parts.
  void RunWhatEarnsMostOfMixed(int slot) {
    const std::array<int, kMaxPoints> targets = RowsByGroup();
    const std::array<Group, 2> groups = GroupsByUrgency();
    for (const bool must_be_worth_it : {true, false}) {
      for (const Group& group : groups) {
        if (group.point == nullptr) continue;
        const size_t scratch = decision_.members.size();
        const auto [batch_of_group, latency] = LargestOf(group, targets[static_cast<size_t>(ToIndex(group.point->id))]);
        Candidate batch = batch_of_group;
        if (batch.count == 0) continue;
        const bool worth_it = Typical(*group.point, batch.rows) <= kWasteful * batch.rows * Typical(group.point->cost);
        const bool weightier = group.weight > groups[1].weight;
        if (worth_it || weightier || !must_be_worth_it) {
          if (aged_) MakeRoomForAged(*group.point, latency, batch);
          Take(slot, *group.point, batch, scratch);
          return;
        }
        decision_.members.resize(scratch);
      }
    }
    Candidate alone;
    const size_t scratch = decision_.members.size();
    Add(begin_, alone);
    Take(slot, FastestFor(At(begin_)), alone, scratch);
  }

  // By point: rows of the largest batch of those whose most valuable point it is; 0 for points that are nobody's.
  std::array<int, kMaxPoints> RowsByGroup() const {
    std::array<int, kMaxPoints> rows{};
    for (int k = 0; k < kinds_; ++k) {
      const Kind& kind = kind_[static_cast<size_t>(k)];
      rows[static_cast<size_t>(ToIndex(kind.most_valuable->id))] += kind.rows;
    }
    for (int& own : rows) own = std::min(own, most_rows_);
    return rows;
  }

  struct Group {
    const RankedPoint* point = nullptr;
    double weight = 0;
    int rows = 0;  // of the request that the group goes first by
  };
  // Those of the weightiest and then most urgent request with a floor and of the one without that can still be in time;
  // who is to go first first.
  std::array<Group, 2> GroupsByUrgency() const {
    std::array<Group, 2> first;  // of those who accept every point, of the others
    for (int i = begin_; i < scanned_to_; ++i) {
      if (IsTakenOfScanned(i)) continue;
      const PendingRequest& request = At(i);
      Group& group = first[request.allowed.size() < static_cast<int>(ranking_.points().size())];
      const double weight = Weight(request);
      if (weight <= group.weight) continue;
      const RankedPoint* point = KindOf(i).most_valuable;
      if (Slack(i) >= Predict(*point, request.rows)) group = {.point = point, .weight = weight, .rows = request.rows};
    }
    const bool floors_first = first[0].weight != first[1].weight
                                  ? first[1].weight > first[0].weight
                                  : view_.attained_with_floor < view_.attained_without_floor;
    if (floors_first) std::swap(first[0], first[1]);
    return first;
  }

  // The largest batch of a group, of up to `most` rows, and the latency that all of it have the slack for. It is not
  // empty: in the end it has the place for the request that the group goes first by.
  std::pair<Candidate, double> LargestOf(const Group& group, int most) {
    const size_t scratch = decision_.members.size();
    for (int target = std::max(most, group.rows);; target = std::max(target / 2, group.rows)) {
      Candidate batch;
      const double latency = Predict(*group.point, target);
      AddByWeight(*group.point, latency, target, batch);
      while (batch.count > 0 && Predict(*group.point, batch.rows) > latency) RemoveLast(batch);
      // Enough for the size that was assumed; or the least size, which one request has the slack for.
      if (batch.rows * 2 > target || target == group.rows) return {batch, latency};
      decision_.members.resize(scratch);
    }
  }

  const RankedPoint& MostValuable(PointSet allowed) const {
    const RankedPoint* best = nullptr;
    for (const RankedPoint& point : ranking_.points()) {
      if (allowed.Contains(point.id) && (best == nullptr || point.value > best->value)) best = &point;
    }
    return *best;
  }
  const RankedPoint& FastestFor(const PendingRequest& request) const {
    const RankedPoint* best = nullptr;
    for (const RankedPoint& point : ranking_.points()) {
      if (!request.allowed.Contains(point.id)) continue;
      if (best == nullptr || Predict(point, request.rows) < Predict(*best, request.rows)) best = &point;
    }
    return *best;
  }

  void AddByWeight(const RankedPoint& point, double latency, int most, Candidate& batch) {
    double below = kForever;
    while (batch.rows < most) {
      double weight = view_.weights_vary ? 0 : 1;
      for (int i = begin_; view_.weights_vary && i < scanned_to_; ++i) {
        const double w = Weight(At(i));
        if (w < below && w > weight) weight = w;
      }
      if (weight == 0) return;
      for (int i = begin_; i < scanned_to_ && batch.rows < most; ++i) {
        if (IsTakenOfScanned(i) || KindOf(i).most_valuable != &point) continue;
        const PendingRequest& request = At(i);
        if ((view_.weights_vary && Weight(request) != weight) || Slack(i) < latency) continue;
        if (batch.rows + request.rows <= most) Add(i, batch);
      }
      if (!view_.weights_vary) return;
      below = weight;
    }
  }

  // Requests that were passed over for a batch of less urgent ones: another slot may still serve them.
  void KeepOrRefuse(int from, int to) {
    const double soonest = Soonest(free_);
    int i = from;
    while (i < to && IsHopeless(i, soonest)) decision_.shed.push_back(i++);
    if (i == to) return;
    begin_ = i;
    alike_ = false;
  }

  bool IsHopeless(int position, double start) {
    const PendingRequest& request = At(position);
    if (!(request.allowed == least_for_) || request.rows != least_rows_) {
      least_for_ = request.allowed;
      least_rows_ = request.rows;
      least_ = Nanoseconds(view_.latency.FastestLeast(request.allowed, request.rows));
    }
    return start + least_ > Slack(position);
  }

  void Take(int slot, const RankedPoint& point, const Candidate& batch, size_t scratch) {
    if (decision_.members.size() == scratch) {
      for (int i = 0; i < batch.count; ++i) decision_.members.push_back(batch.first + i);
      begin_ = batch.first + batch.count;
    } else {
      std::sort(decision_.members.begin() + static_cast<std::ptrdiff_t>(scratch), decision_.members.end());
      alike_ = false;
    }
    decision_.plans.push_back(
        {.slot = slot, .point = point.id, .first = static_cast<int>(scratch), .count = batch.count});
    if (slot < slots_) free_[static_cast<size_t>(slot)] = Predict(point, batch.rows);
  }

  // Gives up early: whoever cannot be served by the slot that is free first, even if it is faster than predicted.
  void RefuseHopeless() {
    for (int s = 0; s < slots_; ++s) {
      const bool idle = view_.slots[static_cast<size_t>(s)].idle && free_[static_cast<size_t>(s)] == 0;
      if (idle) return;  // nobody is left for it
    }
    // What is predicted errs upwards; so much earlier it may be over.
    const double least = view_.latency.typical_permille - view_.latency.scatter_permille;
    const double computing = std::max(Soonest(free_) - Nanoseconds(view_.latency.upper_additive), 0.0);
    const double soonest = computing * std::max(least, 0.0) / view_.latency.upper_permille;
    for (SkipTaken(); begin_ < with_deadline_ && IsHopeless(begin_, soonest); SkipTaken()) {
      decision_.shed.push_back(begin_++);
    }
  }

  const PointRanking& ranking_;
  const SchedulerView& view_;
  Decision& decision_;
  const int end_;
  const int with_deadline_;  // positions from here on have none
  const int most_rows_;
  const int slots_;
  const double objective_;  // 0: not known
  const double rate_;       // rows per ns
  const bool aged_;         // whether some have waited too long without a deadline
  bool alike_;              // what is left is [begin_, end_), of one row each, with equal floors and weights
  int begin_ = 0;           // the first that is left
  std::array<double, kMostSlots> free_;        // when each slot is free
  double floors_part_ = 0;                     // of those who wait, who do not accept every point
  const RankedPoint* floors_point_ = nullptr;  // at which they run at the least
  PointSet least_for_;                         // of IsHopeless: there are few different floors
  int least_rows_ = 0;
  double least_ = 0;
  static constexpr int kMostKinds = 32;
  static constexpr uint8_t kTaken = 254, kNoKind = 255;
  int kinds_ = 0;
  int scanned_from_ = 0;  // by LookAtKinds
  int scanned_to_ = 0;
  bool scanned_too_long_ = false;  // whether somebody scanned is late even if all run at their cheapest points
  std::array<Kind, kMostKinds> kind_;
  std::array<uint8_t, kMostScanned> kind_of_;  // [position - scanned_from_]: index in kind_, or kTaken
  int passed_over_ = 0;                        // by the last Gather
  std::array<int, kMostScanned> passed_over_at_;
};

}  // namespace

void Anybit::DecideInto(const SchedulerView& view, Decision& decision) const { Planner(view, decision).PlanAll(); }

}  // namespace anybit
