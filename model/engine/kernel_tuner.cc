#include "model/engine/kernel_tuner.h"

#include <algorithm>
#include <numeric>

namespace anybit::model {
namespace {

using std::chrono::nanoseconds;

// Candidates take turns, so that a busy moment of the machine does not fall on one candidate alone.
constexpr int kTurns = 3;
// The first run of a turn finds the caches as the candidate before left them, so it does not count.
constexpr int kRunsPerTurn = 4;
// A candidate this many times slower than the fastest for many rows is not the fastest for few rows either.
constexpr int kMaxSlowdown = 3;

// The candidates of one layer that are still compared.
struct Contest {
  std::vector<int> candidates;
  std::vector<nanoseconds> times;  // the shortest run of each; max() before the first

  int fastest() const { return candidates[std::min_element(times.begin(), times.end()) - times.begin()]; }

  void DropSlow() {
    const nanoseconds limit = kMaxSlowdown * *std::min_element(times.begin(), times.end());
    size_t kept = 0;
    for (size_t i = 0; i < times.size(); ++i) {
      if (times[i] <= limit) candidates[kept++] = candidates[i];
    }
    candidates.resize(kept);
  }
};

class Tuner {
 public:
  Tuner(std::span<const int> candidate_counts, nanoseconds end, const MonotonicClock& now, TrialRunner& trials)
      : end_(end), now_(now), trials_(trials), contests_(candidate_counts.size()), times_(candidate_counts.size()) {
    for (size_t layer = 0; layer < contests_.size(); ++layer) {
      contests_[layer].candidates.resize(candidate_counts[layer]);
      std::iota(contests_[layer].candidates.begin(), contests_[layer].candidates.end(), 0);
    }
  }

  // Times the remaining candidates for one size and sets the choice of each layer.
  void Measure(int size, std::vector<ChosenCandidates>& chosen) {
    size_t most = 0;
    for (Contest& contest : contests_) {
      contest.times.assign(contest.candidates.size(), nanoseconds::max());
      most = std::max(most, contest.candidates.size());
    }
    for (int turn = 0; turn < kTurns; ++turn) {
      for (size_t next = 0; next < most; ++next) TakeTurn(size, next);
      if (now_() >= end_) break;
    }
    for (size_t layer = 0; layer < contests_.size(); ++layer) {
      if (contests_[layer].candidates.empty()) continue;
      chosen[layer][size] = contests_[layer].fastest();
      contests_[layer].DropSlow();
    }
  }

 private:
  // Every layer with its candidate number `next`, counted around.
  void TakeTurn(int size, size_t next) {
    std::vector<int> candidates(contests_.size(), 0);
    for (size_t layer = 0; layer < contests_.size(); ++layer) {
      const std::vector<int>& layer_candidates = contests_[layer].candidates;
      if (!layer_candidates.empty()) candidates[layer] = layer_candidates[next % layer_candidates.size()];
    }
    for (int run = 0; run < kRunsPerTurn; ++run) {
      trials_.Run(size, candidates, times_);
      if (run == 0) continue;
      for (size_t layer = 0; layer < contests_.size(); ++layer) {
        std::vector<nanoseconds>& times = contests_[layer].times;
        if (times.empty()) continue;
        nanoseconds& shortest = times[next % times.size()];
        shortest = std::min(shortest, times_[layer]);
      }
    }
  }

  const nanoseconds end_;
  const MonotonicClock& now_;
  TrialRunner& trials_;
  std::vector<Contest> contests_;  // by layer
  std::vector<nanoseconds> times_;
};

// The measured size that `size` follows: the next larger one, or the largest.
int MeasuredSize(int size, const std::vector<int>& measured) {
  int found = measured.front();
  for (int other : measured) {
    if (other >= size && (found < size || other < found)) found = other;
  }
  return found;
}

}  // namespace

std::vector<ChosenCandidates> TuneKernels(std::span<const int> candidate_counts, int max_rows, nanoseconds end,
                                          const MonotonicClock& now, TrialRunner& trials) {
  std::vector<ChosenCandidates> chosen(candidate_counts.size(), ChosenCandidates{});
  Tuner tuner(candidate_counts, end, now, trials);
  // Many rows matter most, as they come when time is short, then one row.
  const int largest = ChoiceIndex(max_rows);
  std::vector<int> measured = {largest};
  tuner.Measure(largest, chosen);
  for (int size = 0; size < largest && now() < end; ++size) {
    tuner.Measure(size, chosen);
    measured.push_back(size);
  }
  for (ChosenCandidates& layer : chosen) {
    for (int size = 0; size < static_cast<int>(kChoiceRows.size()); ++size) {
      layer[size] = layer[MeasuredSize(size, measured)];
    }
  }
  return chosen;
}

}  // namespace anybit::model
