#include "scheduler/sim/fleet/fleet.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "scheduler/policies/registry.h"
#include "scheduler/policy.h"
#include "scheduler/sim/fleet/day.h"
#include "scheduler/sim/fleet/replica.h"
#include "scheduler/sim/world/arrival_walk.h"
#include "scheduler/sim/world/sim_event_loop.h"
#include "scheduler/sim/world/sim_runner.h"

namespace anybit::scheduler::sim {
namespace {

FleetOptions WithTimesShortened(FleetOptions options) {
  for (Duration* time :
       {&options.startup, &options.scrape_period, &options.interval, &options.autoscaler.up_window,
        &options.autoscaler.down_window, &options.autoscaler.up.period, &options.autoscaler.down.period}) {
    *time = Shortened(*time, options.time_lapse);
  }
  return options;
}

class Fleet {
 public:
  Fleet(const Profile& profile, const SchedulingPolicy& policy, std::span<const MonoTime> arrivals, Duration day,
        const FleetOptions& options)
      : profile_(profile),
        policy_(policy),
        arrivals_(arrivals),
        options_(options),
        end_(MonoTime() + day),
        autoscaler_(options.autoscaler),
        walk_(
            loop_, arrivals.size(), [this](size_t i) { return arrivals_[i]; },
            [this](size_t i) { Submit(arrivals_[i]); }) {
    const auto count = static_cast<size_t>((day + options.interval - Duration(1)) / options.interval);
    result_.intervals.resize(count);
    for (size_t i = 0; i < count; ++i) {
      const Duration length = std::min(options.interval, day - options.interval * static_cast<int64_t>(i));
      result_.intervals[i].hours = Hours(length);
    }
  }

  FleetResult Run() {
    for (int i = 0; i < options_.autoscaler.min_replicas; ++i) Add(Duration(0));
    walk_.Start();
    WaitForScrape();
    loop_.Run();
    CountReplicas(end_);
    result_.started = made_ - options_.autoscaler.min_replicas;
    FleetInterval& total = result_.total;
    for (const FleetInterval& interval : result_.intervals) {
      total.offered += interval.offered;
      total.attained += interval.attained;
      total.accuracy_sum += interval.accuracy_sum;
      total.replica_hours += interval.replica_hours;
      total.hours += interval.hours;
    }
    return std::move(result_);
  }

 private:
  struct Member {
    std::unique_ptr<Replica> replica;
    MonoTime ready{};
  };

  double Hours(Duration shortened) const { return ToSeconds(shortened) * options_.time_lapse / 3600; }

  FleetInterval& IntervalAt(MonoTime time) {
    const auto place = static_cast<size_t>(time.time_since_epoch() / options_.interval);
    return result_.intervals[std::min(place, result_.intervals.size() - 1)];
  }

  void Add(Duration startup) {
    const uint64_t seed = MixSeed(options_.seed, static_cast<uint64_t>(made_));
    auto runner = std::make_unique<SimRunner>(loop_, profile_, NoisyOptions(options_.slots, options_.noise, seed));
    ++made_;
    members_.push_back({.replica = std::make_unique<Replica>(loop_, std::move(runner), policy_, profile_),
                        .ready = loop_.Now() + startup});
    result_.most_replicas = std::max(result_.most_replicas, static_cast<int>(members_.size()));
  }

  // To the next ready replica in turn; the first ones are always ready.
  void Submit(MonoTime arrival) {
    do {
      turn_ = turn_ + 1 < members_.size() ? turn_ + 1 : 0;
    } while (members_[turn_].ready > arrival);
    FleetInterval& interval = IntervalAt(arrival);
    ++interval.offered;
    members_[turn_].replica->Submit(arrival + options_.objective, [&interval](Outcome outcome) {
      if (outcome.kind != OutcomeKind::kServed || !outcome.deadline_met) return;
      ++interval.attained;
      interval.accuracy_sum += outcome.expected_accuracy;
    });
  }

  void WaitForScrape() {
    const MonoTime next = loop_.Now() + options_.scrape_period;
    if (next > end_) return;
    loop_.PostAt(next, [this] {
      CountReplicas(loop_.Now());
      std::erase_if(leaving_, [this](std::unique_ptr<Replica>& replica) {
        if (replica->open() > 0) return false;
        ended_.push_back(std::move(replica));
        return true;
      });
      Scale();
      WaitForScrape();
    });
  }

  void Scale() {
    const MonoTime now = loop_.Now();
    const Duration minute = Shortened(std::chrono::minutes(1), options_.time_lapse);
    std::vector<PodReading> pods;
    for (const Member& member : members_) {
      const bool ready = member.ready <= now;
      if (ready) member.replica->metrics().Scrape(now);
      pods.push_back({.ready = ready, .values = member.replica->metrics().Signals(minute)});
    }
    const auto wanted = static_cast<size_t>(autoscaler_.Decide(now, pods));
    while (members_.size() < wanted) Add(options_.startup);
    // The youngest go first.
    while (members_.size() > wanted) {
      leaving_.push_back(std::move(members_.back().replica));
      members_.pop_back();
    }
  }

  // Adds the time since the last call.
  void CountReplicas(MonoTime now) {
    const auto replicas = static_cast<double>(members_.size() + leaving_.size());
    while (counted_ < now) {
      FleetInterval& interval = IntervalAt(counted_);
      const auto place = counted_.time_since_epoch() / options_.interval;
      const MonoTime border = std::min(now, MonoTime(options_.interval * (place + 1)));
      interval.replica_hours += replicas * Hours(border - counted_);
      counted_ = border;
    }
  }

  const Profile& profile_;
  const SchedulingPolicy& policy_;
  const std::span<const MonoTime> arrivals_;
  const FleetOptions options_;  // shortened
  const MonoTime end_;
  SimEventLoop loop_;
  Autoscaler autoscaler_;
  ArrivalWalk walk_;
  FleetResult result_;
  std::vector<Member> members_;  // the oldest first
  std::vector<std::unique_ptr<Replica>> leaving_;
  std::vector<std::unique_ptr<Replica>> ended_;  // their schedulers end with the loop
  int64_t made_ = 0;                             // replicas
  size_t turn_ = 0;
  MonoTime counted_{};
};

absl::Status Validate(const FleetOptions& options) {
  if (options.autoscaler.targets.size() != kFleetSignals) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.autoscaler.targets.size(), " targets for ", kFleetSignals, " signals"));
  }
  for (const double target : options.autoscaler.targets) {
    if (!(target > 0)) return absl::InvalidArgumentError(absl::StrCat("a target of ", target, " is not above 0"));
  }
  const int least = options.autoscaler.min_replicas;
  if (least < 1 || options.autoscaler.max_replicas < least) {
    return absl::InvalidArgumentError(
        absl::StrCat(least, " to ", options.autoscaler.max_replicas, " replicas, must be 1 or more and ascending"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FleetResult> RunFleet(const Profile& profile, std::span<const MonoTime> arrivals, Duration day,
                                     const FleetOptions& options) {
  if (absl::Status status = Validate(options); !status.ok()) return status;
  const absl::StatusOr<std::unique_ptr<SchedulingPolicy>> policy = MakePolicy(options.policy, profile);
  if (!policy.ok()) return policy.status();
  return Fleet(profile, **policy, arrivals, Shortened(day, options.time_lapse), WithTimesShortened(options)).Run();
}

}  // namespace anybit::scheduler::sim
