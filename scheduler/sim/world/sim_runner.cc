#include "scheduler/sim/world/sim_runner.h"

#include <cmath>
#include <utility>

#include "base/random.h"

namespace anybit::scheduler::sim {

SimRunnerOptions NoisyOptions(int slots, double noise, uint64_t seed) {
  const int spread = static_cast<int>(std::lround(noise * 1000));
  return {.slots = slots, .seed = seed, .least_permille = 1000 - spread, .most_permille = 1000 + spread};
}

SimRunner::SimRunner(EventLoop& loop, Profile profile, SimRunnerOptions options)
    : loop_(loop), profile_(std::move(profile)), options_(options), random_(options.seed) {}

void SimRunner::Run(int slot, Batch batch, Done done) {
  const MonoTime started = loop_.Now();
  const int64_t permille = UniformInt(random_, options_.least_permille, options_.most_permille);
  const bool failed = options_.fail_one_in > 0 && UniformInt(random_, 1, options_.fail_one_in) == 1;
  const MonoTime finished = started + profile_.At(batch.point, batch.rows) * permille / 1000;
  BatchResult result{.batch = std::move(batch),
                     .status = failed ? absl::InternalError("simulated failure") : absl::OkStatus(),
                     .started = started,
                     .finished = finished};
  loop_.PostAt(finished + options_.overhead,
               [result = std::move(result), done = std::move(done)]() mutable { std::move(done)(std::move(result)); });
}

}  // namespace anybit::scheduler::sim
