#include "model/engine/kernel_tuner.h"

#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

using std::chrono::nanoseconds;

// A machine on which a run costs what `cost` says, in microseconds; time passes by runs only.
class FakeMachine : public TrialRunner {
 public:
  using Cost = std::function<int(int size, size_t layer, int candidate)>;

  explicit FakeMachine(Cost cost) : cost_(std::move(cost)) {}

  void Run(int size, std::span<const int> candidates, std::span<nanoseconds> times) override {
    for (size_t layer = 0; layer < candidates.size(); ++layer) {
      tried[size].insert(candidates[layer]);
      times[layer] = std::chrono::microseconds(cost_(size, layer, candidates[layer]));
      now_ += times[layer];
    }
  }

  MonotonicClock clock() {
    return [this] { return now_; };
  }

  double state_ratio() const override { return ratio; }

  double ratio = 1;
  std::map<int, std::set<int>> tried;  // candidates of any layer, by size

 private:
  const Cost cost_;
  nanoseconds now_{};
};

constexpr nanoseconds kNoLimit = nanoseconds::max();

TEST(KernelTunerTest, ChoosesTheFastestCandidateOfEachLayerAndSize) {
  // Layer 0: candidate 2 for few rows, 0 for many. Layer 1: candidate 1 always.
  FakeMachine machine([](int size, size_t layer, int candidate) {
    if (layer == 1) return candidate == 1 ? 50 : 70;
    return candidate == (size < 2 ? 2 : 0) ? 100 : 130;
  });
  const auto chosen = TuneKernels(std::vector<int>{3, 2}, 16, kNoLimit, machine.clock(), machine);
  EXPECT_EQ(chosen, (std::vector<ChosenCandidates>{{2, 2, 0, 0, 0}, {1, 1, 1, 1, 1}}));
}

TEST(KernelTunerTest, DoesNotCountTheFirstRunOfATurn) {
  int last = -1;
  // Candidate 1 is faster in its first run after the other, slower in those that count.
  FakeMachine machine([&last](int, size_t, int candidate) {
    const bool first = std::exchange(last, candidate) != candidate;
    return candidate == 1 && first ? 151 : 1000 + candidate;
  });
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 1, kNoLimit, machine.clock(), machine).front().front(), 0);
}

TEST(KernelTunerTest, CountsNoRunOfTheFirst150Microseconds) {
  // A tile unit reaches its rate 140 microseconds after it began to work, and then candidate 1 is the faster one.
  int since = 0, last = -1;
  FakeMachine machine([&](int, size_t, int candidate) {
    if (candidate != last) since = 0;
    last = candidate;
    const int cost = candidate == 0 ? 30 : since < 140 ? 45 : 20;
    since += cost;
    return cost;
  });
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 1, kNoLimit, machine.clock(), machine).front().front(), 1);
}

TEST(KernelTunerTest, RunsNothingMoreOnceItIsToStop) {
  std::stop_source stop;
  int runs = 0;
  FakeMachine machine([&](int, size_t, int) {
    if (++runs == 3) stop.request_stop();
    return 100;
  });
  TuneKernels(std::vector<int>{5}, 16, kNoLimit, machine.clock(), machine, stop.get_token());
  EXPECT_EQ(runs, 3);
}

// Counts the runs of each turn: a turn ends where another candidate runs.
struct TurnCounter {
  int turn = -1, run = 0, last = -1;

  void See(int candidate) {
    if (candidate != last) {
      ++turn;
      run = 0;
    }
    last = candidate;
    ++run;
  }
};

TEST(KernelTunerTest, TakesTheShortestOfATurnsRuns) {
  TurnCounter counter;
  // Another process slows down one counted run of each of candidate 1's turns, but the first.
  FakeMachine machine([&](int, size_t, int candidate) {
    counter.See(candidate);
    return candidate == 0 ? 200 : counter.run == 2 ? 160 : 1000;
  });
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 1, kNoLimit, machine.clock(), machine).front().front(), 1);
}

TEST(KernelTunerTest, ComparesTheTurnsOfARound) {
  TurnCounter counter;
  // Candidate 1 is a little faster. The machine slows down from round to round, and within one of them.
  FakeMachine machine([&](int, size_t, int candidate) {
    counter.See(candidate);
    const int round = counter.turn / 2, state = counter.turn == 5 ? 4 : round;
    return (candidate == 0 ? 110 : 100) * (4 + state);
  });
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 1, kNoLimit, machine.clock(), machine).front().front(), 1);
}

TEST(KernelTunerTest, ComparesTheMediansOfTurnsThatAlternate) {
  for (const int odd_turns : {1, 3}) {
    TurnCounter counter;
    // Candidate 1 is faster, but for its first one or three of seven turns the machine is in another state.
    FakeMachine machine([&](int, size_t, int candidate) {
      counter.See(candidate);
      const bool odd = counter.turn / 2 < odd_turns;
      return candidate == 0 ? (odd ? 200 : 400) : (odd ? 1200 : 300);
    });
    machine.ratio = 4;
    EXPECT_EQ(TuneKernels(std::vector<int>{2}, 1, kNoLimit, machine.clock(), machine).front().front(), 1) << odd_turns;
    EXPECT_EQ(counter.turn + 1, 14) << "the candidates did not alternate";
  }
}

TEST(KernelTunerTest, KeepsWhatTheStateOfTheProcessorMayHaveSlowedDown) {
  TurnCounter counter;
  // Candidate 1's first turn is slow. Alone that says little where a state may slow it down four times.
  FakeMachine machine([&](int, size_t, int candidate) {
    counter.See(candidate);
    return candidate == 0 ? 200 : counter.turn == 1 ? 800 : 160;
  });
  machine.ratio = 4;
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 1, kNoLimit, machine.clock(), machine).front().front(), 1);
}

TEST(KernelTunerTest, CountsALayerOnlyWhileEveryLayerHasACandidateOfThatNumber) {
  // Layer 0 has two candidates. While layer 1 runs those from its third on, the machine is so fast that layer 0's first
  // would win.
  bool fast = false;
  FakeMachine machine([&](int, size_t layer, int candidate) {
    if (layer == 1) {
      fast = candidate >= 2;
      return 300;
    }
    return fast ? 1 : candidate == 0 ? 400 : 300;
  });
  EXPECT_EQ(TuneKernels(std::vector<int>{2, 5}, 1, kNoLimit, machine.clock(), machine).front().front(), 1);
}

TEST(KernelTunerTest, SpendsFewRunsOnWhatIsFarBehindAtOnce) {
  std::map<int, int> runs;
  FakeMachine machine([&runs](int, size_t, int candidate) {
    ++runs[candidate];
    return candidate == 2 ? 170 : 100 + candidate;
  });
  TuneKernels(std::vector<int>{3}, 1, kNoLimit, machine.clock(), machine);
  EXPECT_EQ(runs[2], 3);
  EXPECT_GT(runs[1], 12);
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(KernelTunerTest, RunsNothingWhereThereIsNothingToChoose) {
  FakeMachine machine([](int, size_t, int) { return 1; });
  EXPECT_EQ(TuneKernels(std::vector<int>{1, 0, 1}, 16, kNoLimit, machine.clock(), machine),
            (std::vector<ChosenCandidates>{{}, {}, {}}));
  EXPECT_TRUE(machine.tried.empty());
}

TEST(KernelTunerTest, ComparesForFewRowsOnlyWhatIsNotFarBehindForMany) {
  FakeMachine machine([](int, size_t, int candidate) { return candidate == 1 ? 301 : candidate == 2 ? 300 : 100; });
  TuneKernels(std::vector<int>{3}, 2, kNoLimit, machine.clock(), machine);
  EXPECT_EQ(machine.tried[1], (std::set<int>{0, 1, 2}));
  EXPECT_EQ(machine.tried[0], (std::set<int>{0, 2}));
}

TEST(KernelTunerTest, StopsWhenOneCandidateIsLeft) {
  FakeMachine machine([](int, size_t, int candidate) { return candidate == 0 ? 100 : 301; });
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 16, kNoLimit, machine.clock(), machine).front(), (ChosenCandidates{}));
  EXPECT_EQ(machine.tried.size(), 1u);
}

TEST(KernelTunerTest, LetsUnmeasuredSizesFollowTheNextLargerMeasuredSize) {
  // The fastest candidate for size i is number i. Up to 4 rows: sizes 0 to 2 are measured.
  const auto cost = [](int size, size_t, int candidate) { return candidate == size ? 100 : 110; };
  FakeMachine all(cost);
  EXPECT_EQ(TuneKernels(std::vector<int>{5}, 4, kNoLimit, all.clock(), all).front(), (ChosenCandidates{0, 1, 2, 2, 2}));
  // Time for the largest size and one row: 2 to 8 rows follow 16.
  FakeMachine two(cost);
  EXPECT_EQ(TuneKernels(std::vector<int>{5}, 16, std::chrono::milliseconds(5), two.clock(), two).front(),
            (ChosenCandidates{0, 4, 4, 4, 4}));
  EXPECT_EQ(two.tried.size(), 2u);
}

TEST(KernelTunerTest, PrefersACandidateUnlessAnotherIsClearlyFaster) {
  for (const int saved : {3, 6}) {
    FakeMachine machine([&](int, size_t, int candidate) { return candidate == 1 ? 1000 : 1000 - 10 * saved; });
    const std::vector<ChosenCandidates> preferred = {{1, 1, 1, 1, 1}};
    EXPECT_EQ(TuneKernels(std::vector<int>{2}, 16, kNoLimit, machine.clock(), machine, {}, preferred).front().front(),
              saved == 3 ? 1 : 0);
  }
}

TEST(KernelTunerTest, LeavesHalfOfTheTimeToSmallerSizes) {
  // Time for many rounds of the largest size alone, or for one or two of each.
  FakeMachine machine([](int size, size_t, int candidate) { return (candidate == size ? 100 : 110) << size; });
  EXPECT_EQ(TuneKernels(std::vector<int>{5}, 16, std::chrono::milliseconds(200), machine.clock(), machine).front(),
            (ChosenCandidates{0, 1, 2, 3, 4}));
}

TEST(KernelTunerTest, MeasuresTheLargestSizeOnceEvenWithoutTime) {
  FakeMachine machine([](int, size_t, int candidate) { return 100 - candidate; });
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 8, nanoseconds(0), machine.clock(), machine).front(),
            (ChosenCandidates{1, 1, 1, 1, 1}));
  EXPECT_EQ(machine.tried.size(), 1u);
}

TEST(KernelTunerTest, LeavesLayersWithoutCandidatesAtZero) {
  FakeMachine machine([](int, size_t layer, int candidate) { return layer == 0 ? 1 : 100 - candidate; });
  EXPECT_EQ(TuneKernels(std::vector<int>{0, 2}, 1, kNoLimit, machine.clock(), machine),
            (std::vector<ChosenCandidates>{{0, 0, 0, 0, 0}, {1, 1, 1, 1, 1}}));
}

}  // namespace
}  // namespace anybit::model
