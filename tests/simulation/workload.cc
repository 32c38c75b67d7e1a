#include "tests/simulation/workload.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "base/random.h"
#include "scheduler/policies/registry.h"
#include "scheduler/sim/traces/arrivals.h"
#include "scheduler/sim/traces/load.h"
#include "scheduler/sim/traces/offered_request.h"

namespace anybit::simulation {
namespace {

using std::chrono::microseconds;

MonoTime WholeMicroseconds(MonoTime time) { return std::chrono::floor<microseconds>(time); }

scheduler::Profile RandomProfile(std::mt19937_64& random) {
  scheduler::Profile profile{.max_batch = static_cast<int>(UniformInt(random, 4, 16))};
  const int64_t points = UniformInt(random, 1, 5);
  const bool wild = random() % 4 == 0;  // latencies without any order
  for (int64_t p = 0; p < points; ++p) {
    profile.points.push_back({.name = std::string(1, static_cast<char>('a' + p)),
                              .accuracy = static_cast<double>(UniformInt(random, 50, 99)) / 100});
    const int64_t first = UniformInt(random, 500, 8000);
    const int64_t next = UniformInt(random, 50, 2000);
    std::vector<Duration>& latency = profile.latency.emplace_back();
    for (int64_t rows = 1; rows <= profile.max_batch; ++rows) {
      latency.push_back(microseconds(wild ? UniformInt(random, 500, 20000) : first + (rows - 1) * next));
    }
  }
  return profile;
}

scheduler::PointSet RandomFloor(const scheduler::Profile& profile, std::mt19937_64& random) {
  const int points = static_cast<int>(profile.points.size());
  if (random() % 3 != 0) return scheduler::PointSet::First(points);
  // The points at least as accurate as a random one, or that one alone: a floor, or a pin.
  const PointId chosen = ToPointId(static_cast<int>(UniformInt(random, 0, points - 1)));
  if (random() % 2 == 0) return scheduler::PointSet::Of(chosen);
  return scheduler::sim::PointsAbove(profile, profile.points[static_cast<size_t>(ToIndex(chosen))].accuracy);
}

std::string RandomPolicy(const scheduler::Profile& profile, std::mt19937_64& random) {
  const std::vector<std::string> names = scheduler::PolicyNames(profile.points);
  const uint64_t kind = random() % 8;
  if (kind < 4) return "anybit";
  if (kind == 4) return "slackfit";
  return names[static_cast<size_t>(UniformInt(random, 0, static_cast<int64_t>(names.size()) - 1))];
}

// Classes of different weights, or tenants with shares, or both; in half of the worlds neither.
scheduler::SchedulerOptions RandomOptions(std::mt19937_64& random) {
  scheduler::SchedulerOptions options;
  if (random() % 8 == 0) options.max_queue_requests = static_cast<int>(UniformInt(random, 1, 20));
  const uint64_t kind = random() % 6;
  if (kind == 0 || kind == 1) options.class_weights = {1, static_cast<double>(UniformInt(random, 1, 40)) / 10};
  if (kind == 0 || kind == 2) {
    for (int64_t i = UniformInt(random, 1, 3); i > 0; --i) {
      options.tenant_shares.push_back(static_cast<double>(UniformInt(random, 1, 4)));
    }
  }
  return options;
}

// One that most requests come from, and one that nobody gave a share.
scheduler::TenantId RandomTenant(std::mt19937_64& random) {
  return static_cast<scheduler::TenantId>(random() % 2 == 0 ? 0 : UniformInt(random, 0, 3));
}

}  // namespace

Workload RandomWorkload(uint64_t seed) {
  std::mt19937_64 random(seed);
  Workload workload{.profile = RandomProfile(random)};
  workload.policy = RandomPolicy(workload.profile, random);
  workload.runner = {.slots = static_cast<int>(UniformInt(random, 1, 4)), .seed = random()};
  if (random() % 2 == 0) workload.runner.least_permille = static_cast<int>(UniformInt(random, 500, 1000));
  if (random() % 2 == 0) workload.runner.most_permille = static_cast<int>(UniformInt(random, 1000, 2000));
  if (random() % 8 == 0) workload.runner.fail_one_in = 5;
  workload.options = RandomOptions(random);

  // Some 200 requests whose load steps from one value to another and then ramps to a third.
  const double mean_rows = 1.5;
  const double capacity = scheduler::sim::Capacity(workload.profile, workload.runner.slots) / mean_rows;
  const auto load = [&] { return capacity * static_cast<double>(UniformInt(random, 1, 50)) / 10; };
  const double before = load();
  const double from = load();
  const double to = load();
  const auto lasting = [](double requests, double rate) {
    return WholeMicroseconds(
               MonoTime(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(requests / rate))))
        .time_since_epoch();
  };
  const scheduler::sim::RatePhase phases[] = {
      {.length = lasting(80, before), .from_per_second = before, .to_per_second = before},
      {.length = lasting(120, (from + to) / 2), .from_per_second = from, .to_per_second = to}};
  const std::vector<MonoTime> arrivals = scheduler::sim::PoissonArrivals(phases, MonoTime(), random());

  const int64_t objective = UniformInt(random, 5000, 60000);
  for (const MonoTime at : arrivals) {
    WorkloadRequest request{.arrival = WholeMicroseconds(at), .allowed = RandomFloor(workload.profile, random)};
    const uint64_t kind = random() % 40;  // mostly one objective, some of any, a few passed, some without
    if (kind < 28) {
      request.deadline = request.arrival + microseconds(objective);
    } else if (kind < 37) {
      request.deadline = request.arrival + microseconds(UniformInt(random, -10, 2 * objective));
    } else if (kind < 38) {
      request.deadline = request.arrival - microseconds(UniformInt(random, 0, 100));
    }
    request.sla_class = static_cast<scheduler::SlaClassId>(UniformInt(random, 0, 2));
    request.tenant = RandomTenant(random);
    if (random() % 3 == 0) request.rows = static_cast<int>(UniformInt(random, 1, 4));
    if (random() % 10 == 0) request.cancel_at = request.arrival + microseconds(UniformInt(random, 0, objective));
    workload.requests.push_back(request);
  }
  if (random() % 4 == 0 && !arrivals.empty()) workload.drain_at = workload.requests[arrivals.size() / 2].arrival;
  return workload;
}

Workload Scaled(Workload workload, int factor) {
  const auto scale = [factor](MonoTime time) {
    return time == kNever ? kNever : MonoTime(time.time_since_epoch() * factor);
  };
  for (std::vector<Duration>& latency : workload.profile.latency) {
    for (Duration& l : latency) l *= factor;
  }
  for (WorkloadRequest& request : workload.requests) {
    request.arrival = scale(request.arrival);
    request.deadline = scale(request.deadline);
    if (request.cancel_at) request.cancel_at = scale(*request.cancel_at);
  }
  if (workload.drain_at) workload.drain_at = scale(*workload.drain_at);
  workload.options.latency.memory *= factor;
  workload.options.latency.own_memory *= factor;
  workload.options.latency.hope_memory *= factor;
  workload.options.trial_interval *= factor;
  return workload;
}

std::unique_ptr<scheduler::testing::Rig> Prepare(const Workload& workload, int& drained) {
  auto rig = std::make_unique<scheduler::testing::Rig>(
      workload.profile, *scheduler::MakePolicy(workload.policy, workload.profile), workload.runner, workload.options);
  scheduler::testing::Rig* r = rig.get();
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    const WorkloadRequest& request = workload.requests[i];
    const auto tag = static_cast<int64_t>(i);
    rig->SubmitAt(request.arrival, tag,
                  {.deadline = request.deadline,
                   .allowed = request.allowed,
                   .sla_class = request.sla_class,
                   .tenant = request.tenant,
                   .rows = request.rows});
    if (request.cancel_at) rig->loop.PostAt(*request.cancel_at, [r, tag] { r->scheduler.Cancel(r->ids().at(tag)); });
  }
  if (workload.drain_at) {
    rig->loop.PostAt(*workload.drain_at, [r, &drained] { r->scheduler.Drain([&drained] { ++drained; }); });
  }
  return rig;
}

}  // namespace anybit::simulation
