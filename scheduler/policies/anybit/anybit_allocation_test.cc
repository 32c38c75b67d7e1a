// A decision of anybit's and its check allocate nothing once their memory has grown to what is needed.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "scheduler/policies/anybit/anybit.h"
#include "scheduler/testing/snapshot.h"

namespace {

int64_t allocations = 0;

void* Counted(void* memory) {
  if (memory == nullptr) std::abort();
  ++allocations;
  return memory;
}

}  // namespace

// The library's other forms call these.
void* operator new(size_t bytes) { return Counted(std::malloc(std::max<size_t>(bytes, 1))); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  const size_t step = static_cast<size_t>(alignment);
  return Counted(std::aligned_alloc(step, (std::max<size_t>(bytes, 1) + step - 1) / step * step));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kObjective(60);

// Queues of up to 1500, from idle to hopeless; if `mixed`, of all floors, rows and classes, some without a deadline.
std::vector<testing::Snapshot> Snapshots(bool mixed) {
  std::vector<testing::Snapshot> snapshots;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    testing::Snapshot& snapshot =
        snapshots.emplace_back(testing::ThreePoints(), static_cast<int>(UniformInt(random, 1, 4)));
    if (mixed) snapshot.class_weights = {1, 2};
    const auto rate = static_cast<double>(UniformInt(random, 0, 200));
    snapshot.arrivals = {.fast = rate, .medium = rate, .slow = rate, .objective = kObjective};
    const int64_t most = random() % 4 == 0 ? 1500 : 100;
    for (int64_t i = UniformInt(random, 1, most); i > 0; --i) {
      const MonoTime deadline = MonoTime(microseconds(UniformInt(random, 1000, 100000)));
      if (mixed) {
        snapshot.Add(random() % 8 == 0 ? kNever : deadline, PointSet::First(static_cast<int>(UniformInt(random, 1, 3))),
                     static_cast<int>(UniformInt(random, 1, 4)), static_cast<SlaClassId>(UniformInt(random, 0, 1)));
      } else {
        snapshot.Add(deadline);
      }
    }
  }
  return snapshots;
}

void ExpectNoAllocationOnceWarm(const std::vector<testing::Snapshot>& snapshots) {
  const Anybit policy;
  Decision decision;
  DecisionCheck check;
  int64_t before = 0;
  for (int round = 0; round < 2; ++round) {
    before = allocations;
    for (const testing::Snapshot& snapshot : snapshots) {
      const SchedulerView view = snapshot.view();
      decision.Clear();
      policy.DecideInto(view, decision);
      ASSERT_TRUE(check(view, decision).ok());
    }
    if (round == 0) {
      EXPECT_GT(allocations, before) << "nothing was counted";
    }
  }
  EXPECT_EQ(allocations - before, 0);
}

TEST(AnybitAllocationTest, DecisionsOnUniformQueuesAllocateNothing) { ExpectNoAllocationOnceWarm(Snapshots(false)); }

TEST(AnybitAllocationTest, DecisionsOnMixedQueuesAllocateNothing) { ExpectNoAllocationOnceWarm(Snapshots(true)); }

}  // namespace
}  // namespace anybit::scheduler
