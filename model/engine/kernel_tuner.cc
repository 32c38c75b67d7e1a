#include "model/engine/kernel_tuner.h"

#include <algorithm>
#include <numeric>
#include <stop_token>

#include "base/statistics.h"

namespace anybit::model {
namespace {

using std::chrono::nanoseconds;

// Candidates take turns, so that a busy moment of the machine does not fall on one candidate alone. Within a turn the
// shortest run counts, since interruptions only prolong. The turns of one round are compared with each other: the
// machine may be slower in the next round. Over the rounds the median counts, since it may also change within one. A
// first round tells which candidates are worth more.
constexpr int kTurns = 6;
constexpr int kRunsOfFirstTurn = 2;
constexpr int kRunsPerTurn = 2;
// A turn begins with runs that do not count. The first finds the caches as the candidate before left them. The rest
// give a tile unit time to reach its rate, which took 10 to 140 microseconds of tile products on Emerald Rapids and is
// lost soon after them.
constexpr nanoseconds kWarmUp = std::chrono::microseconds(150);
constexpr int kMaxWarmUpRuns = 64;
// A candidate this many times slower than the fastest after the first turn will not be the fastest: a machine that
// others use disturbs a single run by less.
constexpr double kMaxFirstSlowdown = 1.6;
// A candidate this many times slower than the fastest for many rows is not the fastest for few rows either.
constexpr int kMaxSlowdown = 3;
// A candidate is not clearly faster than the preferred one where it saves less: the medians of a busy machine's rounds
// differ by as much.
constexpr double kClearlyFaster = 0.04;

// The candidates of one layer.
struct Contest {
  std::vector<int> candidates;                  // still compared, at any size
  std::vector<std::vector<nanoseconds>> turns;  // of each, the shortest run of each turn at this size
  std::vector<size_t> in_turn;                  // indices into candidates: those that take turns

  // Of each candidate. All have had a turn.
  std::vector<nanoseconds> Times() const {
    std::vector<nanoseconds> times;
    for (std::vector<nanoseconds> of_candidate : turns) times.push_back(Median(of_candidate));
    return times;
  }

  // Of those that take turns: in how many rounds all of them did.
  size_t Rounds() const {
    size_t rounds = turns[in_turn.front()].size();
    for (size_t i : in_turn) rounds = std::min(rounds, turns[i].size());
    return rounds;
  }

  // `preferred`: a candidate, or -1.
  int Fastest(int preferred) const {
    // By candidate, its times divided by the median of the candidates' in the same round.
    std::vector<std::vector<double>> ratios(in_turn.size());
    for (size_t round = 0; round < Rounds(); ++round) {
      std::vector<nanoseconds> of_round;
      for (size_t i : in_turn) of_round.push_back(turns[i][round]);
      const auto middle = static_cast<double>(std::max<int64_t>(1, Median(of_round).count()));
      for (size_t i = 0; i < in_turn.size(); ++i) {
        ratios[i].push_back(static_cast<double>(turns[in_turn[i]][round].count()) / middle);
      }
    }
    std::vector<double> medians;
    for (size_t i = 0; i < in_turn.size(); ++i) {
      medians.push_back(Median(ratios[i]) * (candidates[in_turn[i]] == preferred ? 1 - kClearlyFaster : 1));
    }
    return candidates[in_turn[std::min_element(medians.begin(), medians.end()) - medians.begin()]];
  }

  void Start() {
    turns.assign(candidates.size(), {});
    in_turn.resize(candidates.size());
    std::iota(in_turn.begin(), in_turn.end(), 0);
  }

  // After the first turn.
  void KeepFast(double state_ratio) {
    const std::vector<nanoseconds> times = Times();
    const auto shortest = static_cast<double>(std::min_element(times.begin(), times.end())->count());
    std::erase_if(in_turn, [&](size_t i) {
      return static_cast<double>(times[i].count()) > kMaxFirstSlowdown * state_ratio * shortest;
    });
  }

  void DropSlow() {
    const std::vector<nanoseconds> times = Times();
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
  Tuner(std::span<const int> candidate_counts, nanoseconds end, const MonotonicClock& now, TrialRunner& trials,
        std::span<const ChosenCandidates> preferred, const std::stop_token& stop)
      : end_(end),
        now_(now),
        trials_(trials),
        preferred_(preferred),
        stop_(stop),
        contests_(candidate_counts.size()),
        times_(candidate_counts.size()) {
    for (size_t layer = 0; layer < contests_.size(); ++layer) {
      contests_[layer].candidates.resize(candidate_counts[layer]);
      std::iota(contests_[layer].candidates.begin(), contests_[layer].candidates.end(), 0);
    }
  }

  // Times the remaining candidates for one size and sets the choice of each layer. Rounds after the first begin within
  // half of the time that is left: other sizes need theirs.
  void Measure(int size, std::vector<ChosenCandidates>& chosen) {
    const nanoseconds rounds_end = now_() + (end_ - now_()) / 2;
    for (Contest& contest : contests_) contest.Start();
    TakeTurns(size, kRunsOfFirstTurn);
    for (Contest& contest : contests_) {
      if (!contest.candidates.empty()) contest.KeepFast(trials_.state_ratio());
    }
    for (int turn = 0; turn < kTurns && MostInTurn() > 1 && now_() < rounds_end; ++turn) TakeTurns(size, kRunsPerTurn);
    for (size_t layer = 0; layer < contests_.size(); ++layer) {
      if (contests_[layer].candidates.empty()) continue;
      chosen[layer][size] = contests_[layer].Fastest(preferred_.empty() ? -1 : preferred_[layer][size]);
      contests_[layer].DropSlow();
    }
  }

  // Whether any layer has a choice left.
  bool HasChoice() const {
    return std::any_of(contests_.begin(), contests_.end(), [](const Contest& c) { return c.candidates.size() > 1; });
  }

 private:
  size_t MostInTurn() const {
    size_t most = 0;
    for (const Contest& contest : contests_) most = std::max(most, contest.in_turn.size());
    return most;
  }

  void TakeTurns(int size, int runs) {
    for (size_t next = 0, most = MostInTurn(); next < most; ++next) TakeTurn(size, next, runs);
  }

  // Every layer with its candidate in turn number `next`, counted around.
  void TakeTurn(int size, size_t next, int runs) {
    std::vector<int> candidates(contests_.size(), 0);
    for (size_t layer = 0; layer < contests_.size(); ++layer) {
      const Contest& contest = contests_[layer];
      if (!contest.in_turn.empty()) candidates[layer] = contest.candidates[InTurn(contest, next)];
    }
    WarmUp(size, candidates);
    std::vector<nanoseconds> shortest(contests_.size(), nanoseconds::max());
    for (int run = 0; run < runs; ++run) {
      RunTrial(size, candidates);
      for (size_t layer = 0; layer < shortest.size(); ++layer) {
        shortest[layer] = std::min(shortest[layer], times_[layer]);
      }
    }
    for (size_t layer = 0; layer < contests_.size(); ++layer) {
      Contest& contest = contests_[layer];
      // What a layer runs while others have more candidates is not counted: those may leave it a slower processor.
      if (next < contest.in_turn.size()) contest.turns[contest.in_turn[next]].push_back(shortest[layer]);
    }
  }

  void WarmUp(int size, const std::vector<int>& candidates) {
    const nanoseconds start = now_();
    for (int run = 0; run < kMaxWarmUpRuns && !stop_.stop_requested() && (run == 0 || now_() - start < kWarmUp);
         ++run) {
      RunTrial(size, candidates);
    }
  }

  // Once it is to stop nothing runs, and what is left of the rules ends in no time.
  void RunTrial(int size, const std::vector<int>& candidates) {
    if (!stop_.stop_requested()) trials_.Run(size, candidates, times_);
  }

  static size_t InTurn(const Contest& contest, size_t next) { return contest.in_turn[next % contest.in_turn.size()]; }

  const nanoseconds end_;
  const MonotonicClock& now_;
  TrialRunner& trials_;
  const std::span<const ChosenCandidates> preferred_;  // by layer, or empty
  const std::stop_token& stop_;
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
                                          const MonotonicClock& now, TrialRunner& trials, const std::stop_token& stop,
                                          std::span<const ChosenCandidates> preferred) {
  std::vector<ChosenCandidates> chosen(candidate_counts.size(), ChosenCandidates{});
  Tuner tuner(candidate_counts, end, now, trials, preferred, stop);
  if (!tuner.HasChoice()) return chosen;
  // Many rows matter most, as they come when time is short, then one row.
  const int largest = ChoiceIndex(max_rows);
  std::vector<int> measured = {largest};
  tuner.Measure(largest, chosen);
  for (int size = 0; size < largest && tuner.HasChoice() && now() < end; ++size) {
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
