#include "scheduler/sim/bound/world_bound.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "scheduler/sim/traces/load.h"

namespace anybit::scheduler::sim {
namespace {

// One thing to do with a request.
struct Way {
  double seconds = 0;   // of processors
  double accuracy = 0;  // 0: refused
};

std::vector<Way> WaysOf(const WorldOptions& world, const Profile& profile) {
  std::vector<Way> ways = {{.seconds = ToSeconds(world.receive_cost + world.refuse_cost)}};
  for (size_t p = 0; p < profile.points.size(); ++p) {
    double row = 1e300;
    for (size_t i = 0; i < profile.latency[p].size(); ++i) {
      row = std::min(row, ToSeconds(profile.latency[p][i]) / static_cast<double>(i + 1));
    }
    ways.push_back(
        {.seconds = row + ToSeconds(world.receive_cost + world.answer_cost), .accuracy = profile.points[p].accuracy});
  }
  return ways;
}

// The most accuracy per request where each may take `seconds` in the mean: a mixture of two ways.
double BestMixture(const std::vector<Way>& ways, double seconds) {
  double best = 0;
  for (const Way& cheap : ways) {
    if (cheap.seconds > seconds) continue;
    best = std::max(best, cheap.accuracy);
    for (const Way& dear : ways) {
      if (dear.seconds <= seconds) continue;
      const double share = (seconds - cheap.seconds) / (dear.seconds - cheap.seconds);
      best = std::max(best, cheap.accuracy + share * (dear.accuracy - cheap.accuracy));
    }
  }
  return best;
}

}  // namespace

double CapacityIn(const WorldOptions& world, const Profile& profile, int slots) {
  if (world.world == World::kIdeal) return Capacity(profile, slots);
  const double row = 1 / Capacity(profile, 1);
  const double edge = ToSeconds(world.receive_cost + world.answer_cost);
  const double shared = slots / (row + (world.edge == EdgeProcessor::kFirstSlot ? edge : 0));
  return edge > 0 ? std::min(shared, 1 / edge) : shared;
}

UtilityBound BoundUtilityIn(const WorldOptions& world, const Profile& profile, std::span<const OfferedRequest> requests,
                            int slots) {
  UtilityBound bound = BoundUtility(profile, requests, slots);
  if (world.world == World::kIdeal || requests.empty()) return bound;
  bound.exact = false;
  bound.attained = 0;
  MonoTime first = kNever, last{};
  for (const OfferedRequest& request : requests) {
    first = std::min(first, request.arrival);
    last = std::max(last, request.deadline);
  }
  if (last == kNever) return bound;
  const int processors = slots + (world.edge == EdgeProcessor::kOwn ? 1 : 0);
  const auto count = static_cast<double>(requests.size());
  const double each = processors * ToSeconds(last - first) / count;
  bound.sum = std::min(bound.sum, count * BestMixture(WaysOf(world, profile), each));
  return bound;
}

}  // namespace anybit::scheduler::sim
