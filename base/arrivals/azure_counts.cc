#include "base/arrivals/azure_counts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/random.h"

namespace anybit {
namespace {

constexpr int kFunctions = 300;
constexpr double kTimerShare = 0.05;    // of the requests, at most
constexpr int kPeriods[] = {1, 5, 15};  // of timers, minutes

enum class Kind { kTimer, kSteady, kBursty, kIdle };

struct Function {
  Kind kind{};
  double weight = 0;
  int period = 0;           // of a timer
  std::vector<int> active;  // of a bursty function
};

// The minutes in which a bursty function is active: a tenth, two in a row in the mean, at least one.
std::vector<int> ActiveMinutes(int minutes, std::mt19937_64& random) {
  std::vector<int> active;
  bool on = UniformUnit(random) < 0.1;
  for (int minute = 0; minute < minutes; ++minute) {
    if (on) active.push_back(minute);
    on = UniformUnit(random) < (on ? 1 / 2.0 : 1 / 18.0) ? !on : on;
  }
  if (active.empty()) active.push_back(static_cast<int>(UniformInt(random, 0, minutes - 1)));
  return active;
}

std::vector<Function> MakeFunctions(int minutes, std::mt19937_64& random) {
  std::vector<Function> functions(kFunctions);
  for (Function& function : functions) {
    const double kind = UniformUnit(random);
    function.kind = kind < 0.2 ? Kind::kTimer : kind < 0.5 ? Kind::kSteady : kind < 0.8 ? Kind::kBursty : Kind::kIdle;
    function.weight = std::exp(2 * Normal(random)) * (function.kind == Kind::kIdle ? 0.01 : 1);
    function.period = kPeriods[UniformInt(random, 0, 2)];
    if (function.kind == Kind::kBursty) {
      function.active = ActiveMinutes(minutes, random);
      function.weight *= 5 * static_cast<double>(function.active.size()) / minutes;
    }
  }
  return functions;
}

int64_t Firings(const Function& timer, int minutes) { return (minutes - 1) / timer.period + 1; }

// Lets timers fire as long as they keep to their share of `count`; the other timers become steady functions. Returns
// how many requests there are.
int64_t FireTimers(int count, int minutes, std::vector<Function>& functions, std::vector<MinuteCount>& counts) {
  int64_t all_firings = 0;
  for (const Function& function : functions) {
    if (function.kind == Kind::kTimer) all_firings += Firings(function, minutes);
  }
  const auto limit = static_cast<int64_t>(kTimerShare * count);
  const int64_t at_once = all_firings == 0 ? 0 : std::max<int64_t>(1, limit / all_firings);
  int64_t fired = 0;
  for (Function& function : functions) {
    if (function.kind != Kind::kTimer) continue;
    const int64_t requests = Firings(function, minutes) * at_once;
    if (fired + requests > limit) {
      function.kind = Kind::kSteady;
      continue;
    }
    for (int minute = 0; minute < minutes; minute += function.period) counts.push_back({minute, at_once, true});
    fired += requests;
    function.weight = 0;
  }
  return fired;
}

// Poisson counts, given that their sum is `count`: each request falls to a function by weight and to one of its
// minutes.
void SpreadByWeight(int64_t count, int minutes, const std::vector<Function>& functions, std::mt19937_64& random,
                    std::vector<MinuteCount>& counts) {
  std::vector<double> below;  // sum of the weights up to each function
  below.reserve(functions.size());
  double sum = 0;
  for (const Function& function : functions) below.push_back(sum += function.weight);
  std::vector<std::vector<int>> invoked(functions.size());
  for (; count > 0; --count) {
    const auto place = std::upper_bound(below.begin(), below.end() - 1, UniformUnit(random) * sum) - below.begin();
    const auto f = static_cast<size_t>(place);
    const std::vector<int>& active = functions[f].active;
    const auto minute = UniformInt(random, 0, (active.empty() ? minutes : static_cast<int>(active.size())) - 1);
    invoked[f].push_back(active.empty() ? static_cast<int>(minute) : active[static_cast<size_t>(minute)]);
  }
  for (std::vector<int>& hits : invoked) {
    std::sort(hits.begin(), hits.end());
    for (size_t i = 0; i < hits.size(); ++i) {
      if (i == 0 || hits[i] != hits[i - 1]) counts.push_back({.minute = hits[i]});
      ++counts.back().count;
    }
  }
}

}  // namespace

std::vector<MinuteCount> AzureCounts(int count, int minutes, std::mt19937_64& random) {
  std::vector<Function> functions = MakeFunctions(minutes, random);
  std::vector<MinuteCount> counts;
  const int64_t fired = FireTimers(count, minutes, functions, counts);
  SpreadByWeight(count - fired, minutes, functions, random, counts);
  return counts;
}

}  // namespace anybit
