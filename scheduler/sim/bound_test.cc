#include "scheduler/sim/bound.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "scheduler/sim/samplers.h"

namespace anybit::sim {
namespace {

using Requests = std::vector<OfferedRequest>;

MonoTime At(int64_t ns) { return MonoTime(Duration(ns)); }

Profile MakeProfile(std::vector<double> accuracies, std::vector<std::vector<int>> latencies) {
  Profile profile{.max_batch = static_cast<int>(latencies[0].size())};
  for (size_t p = 0; p < accuracies.size(); ++p) {
    profile.points.push_back({.name = std::to_string(p), .accuracy = accuracies[p]});
    profile.latency.emplace_back(latencies[p].begin(), latencies[p].end());
  }
  return profile;
}

// Tries everything: at each step any slot takes any set of the waiting requests, at any point, with any padding, at
// the earliest instant. Starting no earlier than the slot is free and all members are there loses nothing.
class Enumeration {
 public:
  Enumeration(const Profile& profile, const Requests& requests) : profile_(profile), requests_(requests) {}

  double Best(std::vector<int64_t> free) { return Best((1u << requests_.size()) - 1, std::move(free)); }

 private:
  double Best(uint32_t waiting, std::vector<int64_t> free) {
    std::sort(free.begin(), free.end());
    const auto key = std::make_pair(waiting, free);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    double best = 0;
    for (size_t slot = 0; slot < free.size(); ++slot) {
      for (uint32_t batch = waiting; batch != 0; batch = (batch - 1) & waiting) {
        best = std::max(best, BestAfter(waiting, free, slot, batch));
      }
    }
    return known_[key] = best;
  }

  double BestAfter(uint32_t waiting, const std::vector<int64_t>& free, size_t slot, uint32_t batch) {
    int64_t start = free[slot];
    int64_t deadline = INT64_MAX;
    double floor = 0;
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (!(batch >> i & 1)) continue;
      start = std::max<int64_t>(start, requests_[i].arrival.time_since_epoch().count());
      deadline = std::min<int64_t>(deadline, requests_[i].deadline.time_since_epoch().count());
      floor = std::max(floor, requests_[i].min_accuracy);
    }
    const int members = std::popcount(batch);
    double best = 0;
    for (size_t p = 0; p < profile_.points.size(); ++p) {
      if (profile_.points[p].accuracy < floor) continue;
      for (int rows = members; rows <= profile_.max_batch; ++rows) {
        const int64_t finish = start + profile_.latency[p][rows - 1].count();
        if (finish > deadline) continue;
        std::vector<int64_t> after = free;
        after[slot] = finish;
        best = std::max(best, members * profile_.points[p].accuracy + Best(waiting & ~batch, std::move(after)));
      }
    }
    return best;
  }

  const Profile& profile_;
  const Requests& requests_;
  std::map<std::pair<uint32_t, std::vector<int64_t>>, double> known_;
};

double BestOfAll(const Profile& profile, const Requests& requests, int slots) {
  return Enumeration(profile, requests).Best(std::vector<int64_t>(slots, INT64_MIN / 2));
}

Profile RandomProfile(std::mt19937_64& random) {
  const int points = static_cast<int>(UniformInt(random, 1, 3));
  const int max_batch = static_cast<int>(UniformInt(random, 1, 4));
  std::vector<double> accuracies;
  std::vector<std::vector<int>> latencies;
  for (int p = 0; p < points; ++p) {
    accuracies.push_back(static_cast<double>(UniformInt(random, 1, 20)) / 20);
    const int fixed = static_cast<int>(UniformInt(random, 1, 30));
    latencies.emplace_back();
    for (int b = 1; b <= max_batch; ++b) {
      latencies.back().push_back(fixed + static_cast<int>(UniformInt(random, 0, 10 * b)));
    }
  }
  return MakeProfile(accuracies, latencies);
}

Requests RandomRequests(std::mt19937_64& random, int count, std::vector<int64_t> objectives, std::vector<double> floors) {
  Requests requests;
  const int64_t horizon = UniformInt(random, 10, 30 * count);
  for (int i = 0; i < count; ++i) {
    const MonoTime arrival = At(UniformInt(random, 0, horizon));
    requests.push_back({.id = i,
                        .arrival = arrival,
                        .deadline = arrival + Duration(objectives[random() % objectives.size()]),
                        .min_accuracy = floors[random() % floors.size()]});
  }
  return requests;
}

TEST(BoundTest, IsTheBestOfAllSchedulesForOneSlotAndEqualObjectives) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    std::mt19937_64 random(seed);
    const Profile profile = RandomProfile(random);
    const int count = static_cast<int>(UniformInt(random, 1, 7));
    const Requests requests = RandomRequests(random, count, {UniformInt(random, 10, 150)}, {0});
    const UtilityBound bound = BoundUtility(profile, requests, 1);
    EXPECT_NEAR(bound.sum, BestOfAll(profile, requests, 1), 1e-6) << "seed " << seed;
    EXPECT_TRUE(bound.exact) << "seed " << seed;
  }
}

TEST(BoundTest, IsNoLessThanTheBestOfAllSchedulesForMixedObjectivesFloorsAndSlots) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    std::mt19937_64 random(seed);
    const Profile profile = RandomProfile(random);
    const int slots = static_cast<int>(UniformInt(random, 1, 2));
    const Requests requests =
        RandomRequests(random, static_cast<int>(UniformInt(random, 1, 5)),
                       {UniformInt(random, 10, 150), UniformInt(random, 10, 300)}, {0, UniformUnit(random)});
    EXPECT_GE(BoundUtility(profile, requests, slots).sum, BestOfAll(profile, requests, slots) - 1e-6)
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace anybit::sim
