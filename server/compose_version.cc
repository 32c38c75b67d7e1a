#include "server/compose_version.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "metrics/serving_metrics.h"
#include "metrics/triton_metrics.h"
#include "scheduler/admission/admission.h"
#include "scheduler/loop/asio_event_loop.h"
#include "scheduler/policies/registry.h"
#include "scheduler/scheduler.h"
#include "server/event_log.h"
#include "server/grpc_deadline.h"
#include "server/live_accuracy/idle_network.h"
#include "server/live_accuracy/live_accuracy.h"
#include "server/log_observer.h"
#include "server/measure_in_turn.h"
#include "server/model_runner.h"
#include "server/model_statistics.h"
#include "server/profile_finder.h"
#include "server/served_model.h"
#include "server/thread_clock.h"

namespace anybit::server {
namespace {

// A promise that no operating point can keep is refused at the start, not at each request.
absl::Status CheckFloors(const ServedModel& model, const scheduler::PointTable& points) {
  int best = 0;
  for (const scheduler::PointInfo& point : points) best = std::max(best, ToBasisPoints(point.accuracy));
  absl::Status status;
  const auto check = [&](absl::string_view what, absl::string_view name, int floor_bp) {
    if (floor_bp <= best) return;
    status.Update(absl::InvalidArgumentError(absl::StrCat(what, " ", name, " has an accuracy floor of ", floor_bp,
                                                          " basis points, the best operating point has ", best)));
  };
  for (const SlaClass& sla_class : model.sla_classes) check("SLA class", sla_class.name, sla_class.accuracy_floor_bp);
  for (const Tenant& tenant : model.tenants) check("tenant", tenant.name, tenant.accuracy_floor_bp);
  return status;
}

// Weights and shares are given only where they tell requests apart: then decisions need not look at them.
scheduler::SchedulerOptions MakeSchedulerOptions(const ServerOptions& options) {
  scheduler::SchedulerOptions made{.max_queue_requests = options.max_queue};
  const auto& classes = options.sla_classes;
  const bool weights_vary = std::any_of(classes.begin(), classes.end(),
                                        [&](const SlaClass& other) { return other.weight != classes[0].weight; });
  if (weights_vary) {
    for (const SlaClass& sla_class : classes) made.class_weights.push_back(sla_class.weight);
  }
  if (options.tenants.size() > 1) {
    for (const Tenant& tenant : options.tenants) made.tenant_shares.push_back(tenant.share);
  }
  return made;
}

void WaitFor(Duration time) { std::this_thread::sleep_for(time); }

// By how much the thread that measures a version beside others is nicer than theirs. A load takes up to ten times as
// long where they want the whole processor.
constexpr int kMeasuringNice = 10;

// Lets the threads of versions that serve go first.
void BeNice() {
  errno = 0;
  const int priority = getpriority(PRIO_PROCESS, 0);  // Linux: of this thread
  if (errno == 0) (void)setpriority(PRIO_PROCESS, 0, priority + kMeasuringNice);
}

// Whether a batch is the work of the thread that runs it. Where the processors are not known, it may be a device's.
bool ComputesOnOneThread(const ServerOptions& options) {
  return options.threads_per_slot == 1 && !options.processors.empty();
}

// Runs `work` where a slot's batches will run, which is what its measurements are for.
void RunOn(const ProcessorSet& processors, absl::FunctionRef<void()> work) {
  std::exception_ptr failure;
  std::thread([&] {
    (void)PinThisThread(processors);  // refused again for the slot, and reported then
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

metrics::ServingMetricsLabels MetricsLabels(const ServedModel& model, const ComposedVersion::Facts& facts, int slots) {
  const scheduler::Profile& profile = facts.profile;
  metrics::ServingMetricsLabels labels{.model = model.network.name,
                                       .version = model.network.version,
                                       .isa = facts.isa,
                                       .points = profile.points,
                                       .max_batch = model.max_batch,
                                       .slots = slots};
  for (int point = 0; point < static_cast<int>(profile.points.size()); ++point) {
    labels.row_latencies.push_back(profile.At(ToPointId(point), profile.max_batch) / profile.max_batch);
  }
  for (const SlaClass& sla_class : model.sla_classes) {
    labels.sla_classes.push_back({.name = sla_class.name, .objective = sla_class.objective});
  }
  for (const Tenant& tenant : model.tenants) labels.tenants.push_back(tenant.name);
  return labels;
}

// The parts stand in the order of their making; the destructor takes them apart.
class ComposedVersionImpl final : public ComposedVersion {
 public:
  ComposedVersionImpl(const ServerOptions& options, std::unique_ptr<model::AdaptiveNetwork> network)
      : network_(std::move(network)),
        model_{.network = network_->description(),
               .max_batch = options.max_batch,
               .sla_classes = options.sla_classes,
               .tenants = options.tenants},
        statistics_(options.max_batch, WallNow) {}

  ~ComposedVersionImpl() override {
    loop_.Stop();
    if (loop_thread_.joinable()) loop_thread_.join();
    idle_.reset();
    runner_.reset();
  }

  // Once. After an error it can only be destroyed.
  absl::Status Start(const VersionSurroundings& surroundings, bool reloaded, const std::stop_token& stop);

  const ServedModel& model() const override { return model_; }
  scheduler::Scheduler& scheduler() override { return *scheduler_; }
  const ModelStatistics& statistics() const override { return statistics_; }
  void CountFeedback(PointId point, bool correct) override { metrics_->CountFeedback(point, correct); }
  void UpdateMetrics() override {
    const model::NetworkBytes bytes = network_->bytes();
    metrics_->SetNetworkBytes(bytes.weights, bytes.panels);
  }
  std::optional<model::DeviceReading> ReadDevice() const override { return network_->ReadDevice(); }
  const Facts& facts() const override { return facts_; }

 private:
  absl::Status FindLatencies(const VersionSurroundings& surroundings, bool reloaded, const std::stop_token& stop);
  void StartScheduler(const VersionSurroundings& surroundings);
  // The runner, with live accuracy if that is wanted.
  scheduler::BatchRunner& Sampled(const ServerOptions& options);

  const std::unique_ptr<model::AdaptiveNetwork> network_;
  const ServedModel model_;
  Facts facts_;
  scheduler::AsioEventLoop loop_;
  std::unique_ptr<scheduler::SchedulingPolicy> policy_;
  scheduler::AdmissionControl admission_;
  std::optional<metrics::ServingMetrics> metrics_;
  ModelStatistics statistics_;
  std::optional<metrics::TritonMetrics> triton_metrics_;  // only where they are wanted
  std::optional<LogObserver> log_observer_;               // only where there is a log
  std::optional<scheduler::Scheduler> scheduler_;
  std::optional<LiveAccuracy> live_;     // only where it is wanted
  std::unique_ptr<ModelRunner> runner_;  // its threads answer to the above and to the loop, so it goes before them
  std::optional<IdleNetwork> idle_;      // likewise
  std::thread loop_thread_;
};

absl::Status ComposedVersionImpl::Start(const VersionSurroundings& surroundings, bool reloaded,
                                        const std::stop_token& stop) {
  if (absl::Status found = FindLatencies(surroundings, reloaded, stop); !found.ok()) return found;
  absl::StatusOr<std::unique_ptr<scheduler::SchedulingPolicy>> policy =
      scheduler::MakePolicy(surroundings.options.policy, facts_.profile);
  if (!policy.ok()) return policy.status();
  policy_ = *std::move(policy);
  StartScheduler(surroundings);
  return absl::OkStatus();
}

// Beside versions that serve, what they compute must not count as this version's latency. One thread yields to theirs
// and counts its own time; where others take part in a batch, its runs take turns with theirs.
absl::Status ComposedVersionImpl::FindLatencies(const VersionSurroundings& surroundings, bool reloaded,
                                                const std::stop_token& stop) {
  ServerOptions options = surroundings.options;
  if (reloaded) options.profile = options.save_profile = "";
  const ProcessorSet processors = surroundings.processors.empty() ? ProcessorSet() : surroundings.processors.front();
  absl::StatusOr<FoundProfile> found;
  if (reloaded && ComputesOnOneThread(options)) {
    const ThreadClock clock;
    RunOn(processors, [&] {
      BeNice();
      found = FindProfile(*network_, clock, options, WaitFor, stop);
    });
  } else {
    NetworkInTurn network(*network_, surroundings.turns.of(0), loop_);
    const ClockInTurn clock(loop_, network);
    RunOn(processors, [&] { found = FindProfile(network, clock, options, WaitFor, stop); });
  }
  if (!found.ok()) return found.status();
  facts_.profile = std::move(found->profile.latencies);
  facts_.profile_note = std::move(found->note);
  if (found->profile.kernels.has_value()) facts_.isa = found->profile.kernels->isa;
  return CheckFloors(model_, facts_.profile.points);
}

void ComposedVersionImpl::StartScheduler(const VersionSurroundings& surroundings) {
  const ServerOptions& options = surroundings.options;
  metrics_.emplace(surroundings.page, MetricsLabels(model_, facts_, options.slots));
  std::vector<scheduler::SchedulerObserver*> observers = {&*metrics_, &statistics_};
  if (options.triton_metrics) {
    observers.push_back(&triton_metrics_.emplace(surroundings.page, model_.network.name, model_.network.version));
  }
  if (options.log != nullptr) observers.push_back(&log_observer_.emplace(model_, *options.log));
  runner_ = std::make_unique<ModelRunner>(*network_, loop_,
                                          ModelRunnerOptions{.slots = options.slots,
                                                             .max_batch = options.max_batch,
                                                             .processors = surroundings.processors,
                                                             .on_network_lost = surroundings.on_network_lost,
                                                             .turns = &surroundings.turns});
  facts_.pinning = runner_->pinning();
  scheduler_.emplace(loop_, Sampled(options), *policy_, admission_, facts_.profile, std::move(observers),
                     MakeSchedulerOptions(options));
  loop_thread_ = std::thread([this] { loop_.Run(); });
}

scheduler::BatchRunner& ComposedVersionImpl::Sampled(const ServerOptions& options) {
  const std::optional<PointId> reference = ReferencePoint(model_.network);
  if (options.live_accuracy == 0 || !reference.has_value()) return *runner_;
  idle_.emplace(*network_, *reference);
  live_.emplace(
      *runner_, loop_, model_.network, *reference, options.live_accuracy,
      [this](std::string input, IdleNetwork::Done done) { idle_->Run(std::move(input), std::move(done)); },
      [this](PointId point, bool agrees) { metrics_->CountLiveRow(point, agrees); });
  return live_->runner();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ComposedVersion>> ComposeVersion(const VersionSurroundings& surroundings,
                                                                std::unique_ptr<model::AdaptiveNetwork> network,
                                                                bool reloaded, const std::stop_token& stop) {
  auto version = std::make_unique<ComposedVersionImpl>(surroundings.options, std::move(network));
  if (absl::Status status = version->Start(surroundings, reloaded, stop); !status.ok()) return status;
  return version;
}

}  // namespace anybit::server
