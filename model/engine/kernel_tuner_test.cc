#include "model/engine/kernel_tuner.h"

#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

using std::chrono::nanoseconds;

// A machine on which a run costs what `cost` says; time passes by runs only.
class FakeMachine : public TrialRunner {
 public:
  using Cost = std::function<int(int size, size_t layer, int candidate)>;

  explicit FakeMachine(Cost cost) : cost_(std::move(cost)) {}

  void Run(int size, std::span<const int> candidates, std::span<nanoseconds> times) override {
    for (size_t layer = 0; layer < candidates.size(); ++layer) {
      tried[size].insert(candidates[layer]);
      times[layer] = nanoseconds(cost_(size, layer, candidates[layer]));
      now_ += times[layer];
    }
  }

  MonotonicClock clock() {
    return [this] { return now_; };
  }

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
    return candidate == 1 && first ? 1 : 10 + candidate;
  });
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 1, kNoLimit, machine.clock(), machine).front().front(), 0);
}

TEST(KernelTunerTest, TakesTheShortestOfACandidatesRuns) {
  int run = 0;
  // Another process slows down every run but one of candidate 1's.
  FakeMachine machine([&run](int, size_t, int candidate) { return candidate == 0 ? 20 : ++run == 4 ? 10 : 30; });
  EXPECT_EQ(TuneKernels(std::vector<int>{2}, 1, kNoLimit, machine.clock(), machine).front().front(), 1);
}

TEST(KernelTunerTest, SpendsFewRunsOnWhatIsFarBehindAtOnce) {
  std::map<int, int> runs;
  FakeMachine machine([&runs](int, size_t, int candidate) {
    ++runs[candidate];
    return candidate == 2 ? 170 : 100 + candidate;
  });
  TuneKernels(std::vector<int>{3}, 1, kNoLimit, machine.clock(), machine);
  EXPECT_EQ(runs[2], 2);
  EXPECT_GT(runs[1], 6);
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
  EXPECT_EQ(TuneKernels(std::vector<int>{5}, 16, nanoseconds(8000), two.clock(), two).front(),
            (ChosenCandidates{0, 4, 4, 4, 4}));
  EXPECT_EQ(two.tried.size(), 2u);
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
