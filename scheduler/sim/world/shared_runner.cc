#include "scheduler/sim/world/shared_runner.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "base/random.h"

namespace anybit::scheduler::sim {

SharedRunner::SharedRunner(EventLoop& loop, Profile profile, const WorldOptions& world, int slots, double noise,
                           uint64_t seed)
    : loop_(loop),
      profile_(std::move(profile)),
      world_(world),
      slots_(slots),
      spread_permille_(static_cast<int>(std::lround(noise * 1000))),
      edge_at_(world.edge == EdgeProcessor::kOwn ? static_cast<size_t>(slots) : 0),
      random_(seed) {
  const int processors = slots + (world.edge == EdgeProcessor::kOwn ? 1 : 0);
  for (int i = 0; i < processors; ++i) processors_.emplace_back(loop);
}

void SharedRunner::Run(int slot, Batch batch, Done done) {
  const MonoTime started = loop_.Now();
  const int64_t permille = UniformInt(random_, 1000 - spread_permille_, 1000 + spread_permille_);
  const bool stalls = world_.stall_one_in > 0 && UniformInt(random_, 1, world_.stall_one_in) == 1;
  const Duration work = profile_.At(batch.point, batch.rows) * permille / 1000;
  const Duration stall = stalls ? world_.stall : Duration::zero();
  auto finish = [this, started, batch = std::move(batch), done = std::move(done)]() mutable {
    std::move(done)(
        {.batch = std::move(batch), .status = absl::OkStatus(), .started = started, .finished = loop_.Now()});
  };
  processors_[static_cast<size_t>(slot)].Add(Worker::kSlot, work, [this, stall, finish = std::move(finish)]() mutable {
    if (stall == Duration::zero()) return std::move(finish)();
    loop_.PostAt(loop_.Now() + stall, std::move(finish));
  });
}

}  // namespace anybit::scheduler::sim
