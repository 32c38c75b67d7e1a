// The rules that every policy keeps, whatever it optimises, over thousands of random snapshots.
#include <algorithm>
#include <cctype>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "scheduler/policies/head_alone.h"
#include "scheduler/policies/registry.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using testing::Snapshot;

// Accuracies out of order, two of them equal.
const PointTable& Points() {
  static const auto* const kTable = new PointTable{{.name = "a", .accuracy = 0.7},
                                                   {.name = "b", .accuracy = 0.9},
                                                   {.name = "c", .accuracy = 0.8},
                                                   {.name = "d", .accuracy = 0.9}};
  return *kTable;
}
constexpr int kPoints = 4;

// Latencies without any order: neither rows nor accuracy tell which is faster.
Profile WildProfile(std::mt19937_64& random) {
  Profile profile{.points = Points(), .max_batch = static_cast<int>(UniformInt(random, 4, 12))};
  for (int p = 0; p < kPoints; ++p) {
    std::vector<Duration>& latency = profile.latency.emplace_back();
    for (int rows = 1; rows <= profile.max_batch; ++rows) {
      latency.push_back(std::chrono::microseconds(UniformInt(random, 500, 20000)));
    }
  }
  return profile;
}

PointSet RandomPoints(std::mt19937_64& random) {
  if (random() % 2 == 0) return PointSet::First(kPoints);
  PointSet set = PointSet::Of(ToPointId(static_cast<int>(random() % kPoints)));
  for (int p = 0; p < kPoints; ++p) {
    if (random() % 2 == 0) set = set.With(ToPointId(p));
  }
  return set;
}

Snapshot WildSnapshot(const Profile& profile, std::mt19937_64& random) {
  Snapshot snapshot(profile, static_cast<int>(UniformInt(random, 1, 4)));
  snapshot.At(MonoTime(std::chrono::milliseconds(UniformInt(random, 0, 1000))));
  const int slots = static_cast<int>(snapshot.view().slots.size());
  for (int slot = 1; slot < slots; ++slot) {
    if (random() % 2 == 0) snapshot.Occupy(slot, snapshot.now + std::chrono::milliseconds(UniformInt(random, -5, 5)));
  }
  const auto rate = [&] { return static_cast<double>(UniformInt(random, 0, 20000)); };
  snapshot.arrivals = {.fast = rate(),
                       .medium = rate(),
                       .slow = rate(),
                       .dispersion = static_cast<double>(UniformInt(random, 0, 80)) / 10,
                       .objective = std::chrono::microseconds(std::max<int64_t>(0, UniformInt(random, -20000, 60000)))};
  snapshot.aimd_rows = static_cast<double>(UniformInt(random, 10, 10 * profile.max_batch)) / 10;
  snapshot.draining = random() % 8 == 0;
  snapshot.hurry = snapshot.draining;
  const bool uniform = random() % 4 == 0;
  if (!uniform && random() % 3 == 0) snapshot.class_weights = {1, static_cast<double>(UniformInt(random, 1, 40)) / 10};
  if (!uniform && random() % 3 == 0) {
    for (int64_t i = UniformInt(random, 1, 3); i > 0; --i) {
      snapshot.tenants.push_back({.weight = static_cast<double>(UniformInt(random, 1, 100)) / 100});
    }
  }
  snapshot.attained_with_floor = static_cast<double>(UniformInt(random, 0, 100)) / 100;
  snapshot.attained_without_floor = static_cast<double>(UniformInt(random, 0, 100)) / 100;
  const bool aged = random() % 4 == 0;  // some have waited long without a deadline
  const Duration until_decision = std::chrono::milliseconds(aged ? UniformInt(random, 0, 2000) : 0);
  const int most = random() % 16 == 0 ? 200 : 40;
  for (int64_t i = UniformInt(random, 1, most); i > 0; --i) {
    const MonoTime deadline =
        random() % 10 == 0 ? kNever
                           : snapshot.now + until_decision + std::chrono::microseconds(UniformInt(random, 1, 40000));
    // Uniform queues are decided along paths of their own.
    if (uniform) {
      snapshot.Add(deadline, PointSet::First(kPoints));
      continue;
    }
    snapshot.Add(deadline, RandomPoints(random), static_cast<int>(UniformInt(random, 1, 4)),
                 static_cast<SlaClassId>(UniformInt(random, 0, 2)), static_cast<TenantId>(UniformInt(random, 0, 3)));
  }
  snapshot.At(snapshot.now + until_decision);
  return snapshot;
}

class PolicyConformanceTest : public ::testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<SchedulingPolicy> Make(const Profile& profile) {
    if (GetParam() == "head-alone") return std::make_unique<HeadAlone>();
    return *MakePolicy(GetParam(), profile);
  }

  // Calls `verify(view, decision)` for many snapshots.
  template <typename Verify>
  void ForManySnapshots(Verify verify) {
    for (uint64_t seed = 0; seed < 400 && !HasFailure(); ++seed) {
      SCOPED_TRACE(seed);
      std::mt19937_64 random(seed);
      const Profile profile = WildProfile(random);
      const std::unique_ptr<SchedulingPolicy> policy = Make(profile);
      for (int i = 0; i < 10; ++i) {
        const Snapshot snapshot = WildSnapshot(profile, random);
        verify(snapshot.view(), *policy, policy->Decide(snapshot.view()));
      }
    }
  }
};

TEST_P(PolicyConformanceTest, EveryDecisionPassesTheCheck) {
  ForManySnapshots([](const SchedulerView& view, const SchedulingPolicy&, const Decision& decision) {
    EXPECT_TRUE(Check(view, decision).ok()) << Check(view, decision);
  });
}

TEST_P(PolicyConformanceTest, NoMemberIsRunThatIsPredictedToBeLate) {
  ForManySnapshots([](const SchedulerView& view, const SchedulingPolicy&, const Decision& decision) {
    for (const Plan& plan : decision.plans) {
      int rows = 0;
      for (const int i : decision.MembersOf(plan)) rows += view.waiting[static_cast<size_t>(i)].rows;
      for (const int i : decision.MembersOf(plan)) {
        EXPECT_LE(view.latency.Predict(plan.point, rows), Slack(view, view.waiting[static_cast<size_t>(i)]));
      }
    }
  });
}

TEST_P(PolicyConformanceTest, EqualViewsGiveEqualDecisions) {
  ForManySnapshots([](const SchedulerView& view, const SchedulingPolicy& policy, const Decision& first) {
    const Decision second = policy.Decide(view);
    EXPECT_EQ(first.shed, second.shed);
    EXPECT_EQ(first.members, second.members);
    EXPECT_EQ(first.wake_at, second.wake_at);
    ASSERT_EQ(first.plans.size(), second.plans.size());
    for (size_t i = 0; i < first.plans.size(); ++i) {
      EXPECT_EQ(first.plans[i].point, second.plans[i].point);
      EXPECT_EQ(first.plans[i].count, second.plans[i].count);
    }
  });
}

TEST_P(PolicyConformanceTest, RefusesNoRequestWithoutADeadline) {
  ForManySnapshots([](const SchedulerView& view, const SchedulingPolicy&, const Decision& decision) {
    for (const int i : decision.shed) EXPECT_NE(view.waiting[static_cast<size_t>(i)].run_by, kNever);
  });
}

// The engine's fallback, whatever the registry has, and some of it with arguments.
std::vector<std::string> AllPolicies() {
  std::vector<std::string> names = PolicyNames(Points());
  for (const char* name :
       {"head-alone", "slackfit:1", "slackfit:64", "slackfit-literal:4", "aimd:a", "early-drop:c", "deferred:b"}) {
    names.push_back(name);
  }
  return names;
}

TEST_P(PolicyConformanceTest, AnUsedDecisionIsFilledLikeANewOne) {
  Decision used;
  ForManySnapshots([&](const SchedulerView& view, const SchedulingPolicy& policy, const Decision& fresh) {
    used.Clear();
    policy.DecideInto(view, used);
    EXPECT_EQ(fresh.shed, used.shed);
    EXPECT_EQ(fresh.members, used.members);
    EXPECT_EQ(fresh.plans.size(), used.plans.size());
  });
}

INSTANTIATE_TEST_SUITE_P(Policies, PolicyConformanceTest, ::testing::ValuesIn(AllPolicies()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
});

}  // namespace
}  // namespace anybit::scheduler
