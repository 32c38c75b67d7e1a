#include "scheduler/sim/simulation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "scheduler/admission/admission.h"
#include "scheduler/observer.h"
#include "scheduler/policies/registry.h"
#include "scheduler/policy.h"
#include "scheduler/sim/world/arrival_walk.h"
#include "scheduler/sim/world/edge.h"
#include "scheduler/sim/world/shared_runner.h"
#include "scheduler/sim/world/sim_event_loop.h"
#include "scheduler/sim/world/sim_runner.h"

namespace anybit::scheduler::sim {
namespace {

// Beyond it latencies of a day would overflow.
constexpr double kMaxRatio = 1000;
constexpr double kMaxNoise = 0.999;  // a batch takes some time
constexpr Duration kMaxCost = std::chrono::hours(1);

// Decides as another policy does and notes how long that took.
class TimedPolicy final : public SchedulingPolicy {
 public:
  TimedPolicy(const SchedulingPolicy& policy, std::vector<int32_t>& nanoseconds)
      : policy_(policy), nanoseconds_(nanoseconds) {}

  std::string_view name() const override { return policy_.name(); }

  void DecideInto(const SchedulerView& view, Decision& decision) const override {
    const auto start = std::chrono::steady_clock::now();
    policy_.DecideInto(view, decision);
    const Duration taken = std::chrono::steady_clock::now() - start;
    nanoseconds_.push_back(static_cast<int32_t>(std::min<int64_t>(taken.count(), INT32_MAX)));
  }

 private:
  const SchedulingPolicy& policy_;
  std::vector<int32_t>& nanoseconds_;
};

class BatchRecorder final : public SchedulerObserver {
 public:
  explicit BatchRecorder(std::vector<BatchRecord>& batches) : batches_(batches) {}

  void OnDispatched(const DispatchedEvent& event) override {
    batches_.push_back({.start = event.at, .slot = event.slot, .point = event.point, .rows = event.rows});
  }

 private:
  std::vector<BatchRecord>& batches_;
};

// Submits each request at its arrival, through the edge where there is one.
class Arrivals {
 public:
  Arrivals(const Profile& profile, std::span<const OfferedRequest> requests, SimEventLoop& loop, Scheduler& scheduler,
           Edge* edge, std::vector<RequestRecord>& records)
      : profile_(profile),
        requests_(requests),
        loop_(loop),
        scheduler_(scheduler),
        edge_(edge),
        records_(records),
        walk_(
            loop, requests.size(), [this](size_t i) { return requests_[i].arrival; }, [this](size_t i) { Submit(i); }) {
  }

  void Start() { walk_.Start(); }

  size_t answered() const { return answered_; }

 private:
  void Submit(size_t i) {
    const OfferedRequest& request = requests_[i];
    SubmitRequest submitted{.deadline = request.deadline,
                            .allowed = AllowedBy(request.min_accuracy),
                            .sla_class = request.sla_class,
                            .tenant = request.tenant};
    auto record = [this, i](Outcome outcome) { Record(i, outcome); };
    if (edge_ != nullptr) {
      edge_->Call(std::move(submitted), std::move(record));
    } else {
      scheduler_.Submit(std::move(submitted), std::move(record));
    }
  }

  void Record(size_t i, const Outcome& outcome) {
    ++answered_;
    RequestRecord& record = records_[i];
    record.kind = outcome.kind;
    if (outcome.status.code() == absl::StatusCode::kInvalidArgument) record.kind = OutcomeKind::kShed;
    if (outcome.kind != OutcomeKind::kServed) return;
    record.point = outcome.point;
    record.batch_rows = outcome.batch_rows;
    if (edge_ != nullptr) {
      record.finish = outcome.ended;
      record.start = outcome.ended - outcome.compute_time;
      record.answered = loop_.Now();
      record.in_time = record.answered <= requests_[i].deadline;
    } else {
      record.start = requests_[i].arrival + outcome.queue_time;
      record.finish = record.answered = record.start + outcome.compute_time;
      record.in_time = outcome.deadline_met;
    }
  }

  // Neighbours mostly have the same floor.
  PointSet AllowedBy(double min_accuracy) {
    if (min_accuracy != floor_) {
      floor_ = min_accuracy;
      allowed_ = PointsAbove(profile_, min_accuracy);
    }
    return allowed_;
  }

  const Profile& profile_;
  const std::span<const OfferedRequest> requests_;
  SimEventLoop& loop_;
  Scheduler& scheduler_;
  Edge* const edge_;
  std::vector<RequestRecord>& records_;

  ArrivalWalk walk_;
  size_t answered_ = 0;
  double floor_ = 0;
  PointSet allowed_ = PointsAbove(profile_, 0);
};

absl::Status ValidateWorld(const WorldOptions& world) {
  if (!(world.noise >= 0 && world.noise <= kMaxNoise)) {
    return absl::InvalidArgumentError(absl::StrCat("noise ", world.noise, " is outside 0 to ", kMaxNoise));
  }
  if (world.stall_one_in < 0) {
    return absl::InvalidArgumentError(absl::StrCat("one stall in ", world.stall_one_in, " batches is below 0"));
  }
  for (const Duration cost : {world.receive_cost, world.refuse_cost, world.answer_cost, world.transmission_median,
                              world.transmission_limit, world.stall}) {
    if (cost < Duration::zero() || cost > kMaxCost) {
      return absl::InvalidArgumentError(absl::StrCat("a cost or time of ", cost.count(),
                                                     " ns in the world is outside 0 to ", kMaxCost.count(), " ns"));
    }
  }
  return absl::OkStatus();
}

absl::Status Validate(std::span<const OfferedRequest> requests, const SimulationOptions& options) {
  if (options.slots < 1) return absl::InvalidArgumentError(absl::StrCat(options.slots, " slots are fewer than 1"));
  // Written so that a NaN is refused.
  if (!(options.noise >= 0 && options.noise <= kMaxNoise)) {
    return absl::InvalidArgumentError(absl::StrCat("noise ", options.noise, " is outside 0 to ", kMaxNoise));
  }
  if (absl::Status status = ValidateWorld(options.world); !status.ok()) return status;
  const auto check = [](double ratio) -> absl::Status {
    if (ratio > 0 && ratio <= kMaxRatio) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("profile ratio ", ratio, " is not above 0 and at most ", kMaxRatio));
  };
  if (absl::Status status = check(options.profile_ratio); !status.ok()) return status;
  for (const double ratio : options.point_ratios) {
    if (absl::Status status = check(ratio); !status.ok()) return status;
  }
  const auto early = std::is_sorted_until(requests.begin(), requests.end(),
                                          [](const auto& a, const auto& b) { return a.arrival < b.arrival; });
  if (early != requests.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("request ", early->id, " arrives before request ", std::prev(early)->id, ", which precedes it"));
  }
  return absl::OkStatus();
}

// What the scheduler is told.
Profile Shown(Profile profile, const SimulationOptions& options) {
  for (size_t p = 0; p < profile.latency.size(); ++p) {
    const double ratio = options.profile_ratio * (p < options.point_ratios.size() ? options.point_ratios[p] : 1);
    if (ratio == 1) continue;
    for (Duration& latency : profile.latency[p]) {
      const int64_t scaled = std::llround(static_cast<double>(latency.count()) * ratio);
      latency = Duration(std::max<int64_t>(scaled, 1));
    }
  }
  return profile;
}

std::unique_ptr<SimRunner> MakeSimRunner(SimEventLoop& loop, const Profile& truth, const SimulationOptions& options) {
  return std::make_unique<SimRunner>(loop, truth, NoisyOptions(options.slots, options.noise, options.seed));
}

std::unique_ptr<SharedRunner> MakeSharedRunner(SimEventLoop& loop, const Profile& truth,
                                               const SimulationOptions& options) {
  const double noise = std::max(options.noise, options.world.noise);
  return std::make_unique<SharedRunner>(loop, truth, options.world, options.slots, noise, options.seed);
}

}  // namespace

absl::StatusOr<SimulationResult> Simulate(const Profile& true_profile, std::span<const OfferedRequest> requests,
                                          const SimulationOptions& options) {
  if (absl::Status status = Validate(requests, options); !status.ok()) return status;
  if (options.point_ratios.size() > true_profile.points.size()) {
    return absl::InvalidArgumentError(absl::StrCat(options.point_ratios.size(), " point ratios for ",
                                                   true_profile.points.size(), " operating points"));
  }
  const Profile shown = Shown(true_profile, options);
  absl::StatusOr<std::unique_ptr<SchedulingPolicy>> policy = MakePolicy(options.policy, shown);
  if (!policy.ok()) return policy.status();

  SimulationResult result;
  result.requests.resize(requests.size());
  if (requests.empty()) return result;
  const TimedPolicy timed(**policy, result.decision_ns);
  const SchedulingPolicy* const asked = options.time_decisions ? &timed : policy->get();
  const AdmissionControl admission;
  BatchRecorder recorder(result.batches);
  SimEventLoop loop(requests.front().arrival);
  const WorldOptions& world = options.world;
  std::unique_ptr<SharedRunner> shared;
  std::unique_ptr<BatchRunner> alone;
  if (world.world == World::kServer) {
    shared = MakeSharedRunner(loop, true_profile, options);
  } else {
    alone = MakeSimRunner(loop, true_profile, options);
  }
  BatchRunner& runner = shared != nullptr ? *shared : *alone;
  Scheduler scheduler(loop, runner, *asked, admission, shown, {&recorder}, options.scheduler);
  std::unique_ptr<Edge> edge;
  if (shared != nullptr) {
    edge = std::make_unique<Edge>(loop, shared->edge_processor(), scheduler, world, ~options.seed);
  }
  Arrivals arrivals(true_profile, requests, loop, scheduler, edge.get(), result.requests);
  arrivals.Start();
  loop.Run();
  if (arrivals.answered() != requests.size()) {
    return absl::InternalError(
        absl::StrCat("only ", arrivals.answered(), " of ", requests.size(), " requests were answered"));
  }
  result.replaced_decisions = scheduler.replaced_decisions();
  return result;
}

}  // namespace anybit::scheduler::sim
