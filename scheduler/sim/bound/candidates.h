// Gathers the candidates for one front. Cells of time, each with the candidate that earned most in it, spare most of
// the others the sorting.
#ifndef ANYBIT_SCHEDULER_SIM_BOUND_CANDIDATES_H_
#define ANYBIT_SCHEDULER_SIM_BOUND_CANDIDATES_H_

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "scheduler/sim/bound/front.h"
#include "scheduler/sim/bound/problem.h"

namespace anybit::scheduler::sim::bound {

// How a front longer than its limit is shortened.
enum class Cut {
  kRaise,  // neighbours become one that is better than both: the result is a bound
  kDrop,   // the least promising are forgotten: the result is attained
};

// For Cut::kDrop the cells are all that is kept.
class Candidates {
 public:
  Candidates(Time span, Cut cut) : cut_(cut) {
    while ((span >> shift_) + 2 > static_cast<Time>(kCells)) ++shift_;
    cells_.resize(kCells + 1);
  }

  // For states from `from` to `until`, which are no further apart than the constructor's span. `rest` and `attained`
  // as in PassLimits, `rest` for this front or null.
  void Start(Time from, Time until, const Front* rest, Gain attained) {
    from_ = from;
    used_ = std::min(static_cast<size_t>((std::max(until, from) - from) >> shift_) + 2, kCells + 1);
    found_.clear();
    // cells_[0] is before all. A state that cannot exceed `attained` from a cell's start on counts as dominated.
    cells_[0] = {.time = kLatest, .gain = -1};
    size_t r = rest != nullptr ? rest->size() : 0;
    for (size_t c = 1; c < used_; ++c) {
      Gain need = -1;
      if (rest != nullptr) {
        const Time start = from_ + (static_cast<Time>(c - 1) << shift_);
        while (r > 0 && (*rest)[r - 1].time > -start) --r;
        need = r > 0 ? attained - (*rest)[r - 1].gain : std::numeric_limits<Gain>::max();
      }
      cells_[c] = {.time = kLatest, .gain = need};
    }
  }

  void Add(Time time, Gain gain) {
    time = std::max(time, from_);
    const size_t c = static_cast<size_t>((time - from_) >> shift_) + 1;
    State& cell = cells_[c];
    if (gain <= cells_[c - 1].gain && cells_[c - 1].time != kLatest) return;
    if (gain <= cell.gain && (time >= cell.time || cell.time == kLatest)) return;
    if (cut_ == Cut::kDrop) {
      const bool either = gain < cell.gain || (cell.time != kLatest && time > cell.time);
      dropped_ |= either;
      if (gain >= cell.gain) cell = {time, gain};
      return;
    }
    if (gain > cell.gain) cell = {time, gain};
    found_.push_back({time, gain});
  }

  void Take(Front& front) {
    if (cut_ == Cut::kDrop) {
      front.clear();
      for (size_t c = 1; c < used_; ++c) {
        const State& cell = cells_[c];
        if (cell.time != kLatest && (front.empty() || cell.gain > front.back().gain)) front.push_back(cell);
      }
      return;
    }
    Gain best = -1;
    for (size_t c = 0; c < used_; ++c) {
      if (cells_[c].time != kLatest) best = std::max(best, cells_[c].gain);
      cells_[c].gain = best;
    }
    std::erase_if(found_, [this](const State& state) {
      return state.gain <= cells_[static_cast<size_t>((state.time - from_) >> shift_)].gain;
    });
    std::sort(found_.begin(), found_.end(),
              [](const State& a, const State& b) { return a.time != b.time ? a.time < b.time : a.gain > b.gain; });
    front.clear();
    for (const State& state : found_) {
      if (front.empty() || state.gain > front.back().gain) front.push_back(state);
    }
  }

  // Whether one of two candidates was dropped although neither was better.
  bool dropped() const { return dropped_; }

 private:
  static constexpr size_t kCells = 1024;
  Cut cut_;
  bool dropped_ = false;
  int shift_ = 0;
  Time from_ = 0;
  size_t used_ = 0;
  std::vector<State> cells_;
  std::vector<State> found_;
};

}  // namespace anybit::scheduler::sim::bound

#endif  // ANYBIT_SCHEDULER_SIM_BOUND_CANDIDATES_H_
