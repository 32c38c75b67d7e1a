#include "scheduler/sim/bound/bound.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace anybit::scheduler::sim {
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

Requests RandomRequests(std::mt19937_64& random, int count, std::vector<int64_t> objectives,
                        std::vector<double> floors) {
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

// The same dynamic program without any of its economies: every run of requests, every state. IsTheBestOfAllSchedules...
// shows for few requests that runs are enough; this shows for many that cutting fronts is sound.
double BestOfAllRuns(const Profile& profile, Requests requests) {
  std::stable_sort(requests.begin(), requests.end(),
                   [](const OfferedRequest& a, const OfferedRequest& b) { return a.arrival < b.arrival; });
  const size_t n = requests.size();
  std::vector<std::map<MonoTime, double>> states(n + 1);  // free at, utility
  states[0][At(INT64_MIN / 2)] = 0;
  const auto add = [](std::map<MonoTime, double>& to, MonoTime time, double utility) {
    auto above = to.upper_bound(time);
    if (above != to.begin() && std::prev(above)->second >= utility - 1e-12) return;
    while (above != to.end() && above->second <= utility + 1e-12) above = to.erase(above);
    to[time] = utility;
  };
  for (size_t i = 0; i < n; ++i) {
    for (const auto& [time, utility] : states[i]) {
      add(states[i + 1], time, utility);
      for (size_t k = 1; k <= std::min<size_t>(n - i, profile.max_batch); ++k) {
        const MonoTime start = std::max(time, requests[i + k - 1].arrival);
        for (size_t p = 0; p < profile.points.size(); ++p) {
          for (size_t rows = k; rows <= static_cast<size_t>(profile.max_batch); ++rows) {
            const MonoTime finish = start + profile.latency[p][rows - 1];
            if (finish > requests[i].deadline) continue;
            add(states[i + k], finish, utility + static_cast<double>(k) * profile.points[p].accuracy);
          }
        }
      }
    }
  }
  return states[n].rbegin()->second;
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

TEST(BoundTest, IsNearTheOptimumAndNotBelowWhereFrontsAreLong) {
  for (uint64_t seed = 0; seed < 8; seed += 3) {
    std::mt19937_64 random(seed);
    std::vector<std::vector<int>> latencies(5);
    for (int p = 0; p < 5; ++p) {
      int64_t latency = 200'000;
      for (int b = 1; b <= 10; ++b) {
        latency += UniformInt(random, 80'000, 120'000) * (6 - p) / 2;
        latencies[p].push_back(static_cast<int>(latency));
      }
    }
    const Profile profile = MakeProfile({0.9317, 0.9121, 0.8821, 0.8417, 0.7713}, latencies);
    // From two thirds of what the fastest point could do to one and a half of it.
    const double mean_gap = 120'000 * (1.5 - 0.12 * static_cast<double>(seed));
    Requests requests;
    double time = 0;
    for (int i = 0; i < 200; ++i) {
      time += Exponential(random) * mean_gap;
      const MonoTime arrival = At(static_cast<int64_t>(time));
      requests.push_back({.id = i, .arrival = arrival, .deadline = arrival + Duration(5'000'000)});
    }
    const double best = BestOfAllRuns(profile, requests);
    const UtilityBound bound = BoundUtility(profile, requests, 1);
    EXPECT_GE(bound.sum, best - 1e-6) << "seed " << seed;
    EXPECT_LE(bound.sum, best * 1.005) << "seed " << seed;
    EXPECT_LE(bound.attained, best + 1e-6) << "seed " << seed;
    EXPECT_GE(bound.attained, best * 0.997) << "seed " << seed;
    if (bound.exact) {
      EXPECT_NEAR(bound.sum, best, 1e-6) << "seed " << seed;
    }
  }
}

TEST(BoundTest, TheRelaxationIsCloseWhereAllRequestsAreEqualButOne) {
  // One request of another objective takes exactness away; the bound stays above what the others allow.
  const Profile profile = MakeProfile({0.9, 0.5}, {{10, 12}, {4, 6}});
  Requests requests;
  for (int i = 0; i < 40; ++i) requests.push_back({.id = i, .arrival = At(3 * i), .deadline = At(3 * i + 30)});
  const UtilityBound equal = BoundUtility(profile, requests, 1);
  requests[20].deadline = requests[20].arrival + Duration(60);
  const UtilityBound mixed = BoundUtility(profile, requests, 1);
  EXPECT_FALSE(mixed.exact);
  EXPECT_GE(mixed.sum, equal.sum - 1e-6);
  EXPECT_LE(mixed.sum, equal.sum * 1.1);
}

TEST(BoundTest, CountsRequestsThatAnIdleSlotCanServeAtTheirBest) {
  const Profile profile = MakeProfile({0.9, 0.5}, {{10, 12}, {4, 6}});
  Requests requests;
  for (int i = 0; i < 10; ++i) requests.push_back({.id = i, .arrival = At(100 * i), .deadline = At(100 * i + 50)});
  for (const int slots : {1, 2, 4}) EXPECT_NEAR(BoundUtility(profile, requests, slots).sum, 9.0, 1e-6);
  EXPECT_TRUE(BoundUtility(profile, requests, 1).exact);
}

TEST(BoundTest, RequestsAtOnceFillTheSlotsUntilTheirDeadline) {
  // Two rows take 10: in 40, four batches a slot.
  const Profile profile = MakeProfile({0.5}, {{10, 10}});
  Requests requests(100, {.arrival = At(0), .deadline = At(40)});
  EXPECT_NEAR(BoundUtility(profile, requests, 1).sum, 0.5 * 8, 1e-6);
  EXPECT_NEAR(BoundUtility(profile, requests, 3).sum, 0.5 * 24, 1e-6);
}

TEST(BoundTest, ABatchMayBePaddedWhereMoreRowsRunFaster) {
  const Profile profile = MakeProfile({0.5}, {{100, 10}});
  const Requests alone = {{.arrival = At(0), .deadline = At(10)}};
  EXPECT_NEAR(BoundUtility(profile, alone, 1).sum, 0.5, 1e-6);
}

TEST(BoundTest, ARequestWithoutADeadlineIsAnsweredInTheEnd) {
  const Profile profile = MakeProfile({0.9, 0.5}, {{10, 12}, {4, 6}});
  Requests requests(20, {.arrival = At(0)});
  EXPECT_NEAR(BoundUtility(profile, requests, 1).sum, 18.0, 1e-6);
  requests[3].deadline = At(5);
  EXPECT_NEAR(BoundUtility(profile, requests, 1).sum, 17.6, 0.4 + 1e-6);
}

TEST(BoundTest, ARequestThatAcceptsNoPointOrHasNoTimeEarnsNothing) {
  const Profile profile = MakeProfile({0.9, 0.5}, {{10, 12}, {4, 6}});
  EXPECT_EQ(BoundUtility(profile, {}, 1).sum, 0);
  const Requests too_accurate = {{.arrival = At(0), .deadline = At(50), .min_accuracy = 0.95}};
  EXPECT_EQ(BoundUtility(profile, too_accurate, 1).sum, 0);
  const Requests too_urgent = {{.arrival = At(0), .deadline = At(3)}};
  for (const int slots : {1, 2}) EXPECT_EQ(BoundUtility(profile, too_urgent, slots).sum, 0);
}

}  // namespace
}  // namespace anybit::scheduler::sim
