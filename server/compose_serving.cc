#include "server/compose_serving.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/version.h"
#include "metrics/process_usage.h"
#include "metrics/serving_metrics.h"
#include "metrics/triton_metrics.h"
#include "model/engine/device_reading.h"
#include "scheduler/admission/admission.h"
#include "scheduler/loop/asio_event_loop.h"
#include "scheduler/policies/registry.h"
#include "scheduler/scheduler.h"
#include "server/control_groups.h"
#include "server/description_methods.h"
#include "server/edge_metrics.h"
#include "server/edge_observer.h"
#include "server/event_log.h"
#include "server/grpc_server.h"
#include "server/log_observer.h"
#include "server/model_infer_calls.h"
#include "server/model_runner.h"
#include "server/model_statistics.h"
#include "server/processors.h"
#include "server/profile_finder.h"
#include "server/request_memory.h"
#include "server/rest/rest_service.h"
#include "server/served_model.h"
#include "server/serving_state.h"
#include "server/stream_infer_calls.h"

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

// Runs `work` where a slot's batches will run, which is what its measurements are for.
void RunOn(const ProcessorSet& processors, absl::FunctionRef<void()> work) {
  std::thread([&] {
    (void)PinThisThread(processors);  // refused again for the slot, and reported then
    work();
  }).join();
}

metrics::ServingMetricsLabels MetricsLabels(const ServedModel& model, const ServingFacts& facts,
                                            const ServerOptions& options, const std::string& device_uuid) {
  const scheduler::Profile& profile = facts.profile;
  metrics::ServingMetricsLabels labels{.model = model.network.name,
                                       .version = model.network.version,
                                       .isa = facts.isa,
                                       .device_uuid = device_uuid,
                                       .points = profile.points,
                                       .max_batch = model.max_batch,
                                       .slots = options.slots,
                                       .build_version = std::string(kVersion),
                                       .commit = options.commit};
  for (int point = 0; point < static_cast<int>(profile.points.size()); ++point) {
    labels.row_latencies.push_back(profile.At(ToPointId(point), profile.max_batch) / profile.max_batch);
  }
  for (const SlaClass& sla_class : model.sla_classes) {
    labels.sla_classes.push_back({.name = sla_class.name, .objective = sla_class.objective});
  }
  for (const Tenant& tenant : model.tenants) labels.tenants.push_back(tenant.name);
  labels.refused_call_reasons.assign(kRefusedCallReasonNames.begin(), kRefusedCallReasonNames.end());
  return labels;
}

absl::Status CheckQueueBytes(int64_t bytes, const ServedModel& model) {
  const int64_t largest = ModelInferCalls::LargestCallBytes(model);
  if (bytes == 0 || bytes >= largest) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--max_queue_bytes is ", bytes, ", less than the ", largest,
                                                 " bytes that the largest request takes"));
}

// Bytes that requests may hold.
int64_t RequestLimitBytes(const ServerOptions& options, const ServedModel& model) {
  if (options.max_queue_bytes != 0) return options.max_queue_bytes;
  const int64_t left = std::max<int64_t>(UsableMemoryBytes() - ResidentMemoryBytes(), 0);
  return std::max(left / 2, ModelInferCalls::LargestCallBytes(model));
}

// The parts stand in the order of their making; Stop takes them apart.
class ComposedServing final : public Serving {
 public:
  ComposedServing(const ServerOptions& options, const Security& security,
                  std::unique_ptr<model::AdaptiveNetwork> network)
      : security_(security),
        network_(std::move(network)),
        model_{.network = network_->description(),
               .max_batch = options.max_batch,
               .sla_classes = options.sla_classes,
               .tenants = options.tenants},
        statistics_(options.max_batch, [] { return WallTime(std::chrono::system_clock::now()); }) {
    facts_.network = model_.network;
  }
  ~ComposedServing() override { Stop(Duration::zero()); }

  // Once. After an error it can only be destroyed.
  absl::Status Start(const ServerOptions& options);

  const ServingFacts& facts() const override { return facts_; }
  std::string MetricsText() override;
  bool CanServe() const override { return !network_lost_; }
  HttpAction RouteHttp(const HttpHead& head, const Caller& caller) override { return rest_->Route(head, caller); }
  void SetReadiness(bool ready) override;
  void Drain(absl::AnyInvocable<void()> drained) override;
  void Stop(Duration grace) override;

 private:
  // Any thread.
  void OnNetworkLost(const absl::Status& why);

  absl::Status FindLatencies(const ServerOptions& options, const ProcessorSet& processors);
  void StartScheduler(const ServerOptions& options, const std::vector<ProcessorSet>& processors);
  absl::Status StartGrpc(const ServerOptions& options);

  const Security& security_;
  const std::unique_ptr<model::AdaptiveNetwork> network_;
  const ServedModel model_;
  ServingFacts facts_;
  scheduler::AsioEventLoop loop_;
  std::unique_ptr<scheduler::SchedulingPolicy> policy_;
  scheduler::AdmissionControl admission_;
  std::optional<metrics::ServingMetrics> metrics_;
  ModelStatistics statistics_;
  std::optional<metrics::TritonMetrics> triton_metrics_;  // only where they are wanted
  std::optional<LogObserver> log_observer_;               // only where there is a log
  std::optional<EdgeMetrics> edge_metrics_;
  std::optional<EdgeLog> edge_log_;
  std::optional<scheduler::Scheduler> scheduler_;
  std::unique_ptr<ModelRunner> runner_;  // its threads answer to scheduler and loop, so it goes before both
  std::optional<RequestMemory> memory_;
  SharedServingState state_ = ServingState::kStarting;
  std::atomic<bool> network_lost_ = false;  // the slots' threads write it, any reads it
  absl::Mutex health_mutex_;
  GrpcServer* grpc_to_tell_ ABSL_GUARDED_BY(health_mutex_) = nullptr;  // while it runs
  std::optional<ModelInferParts> infer_parts_;
  const DescriptionMethods description_{model_, state_, statistics_};
  std::optional<ModelInferCalls> infer_;
  std::optional<StreamInferCalls> stream_;
  std::optional<RestService> rest_;
  std::unique_ptr<GrpcServer> grpc_;  // its threads use all of the above
  std::thread loop_thread_;
};

absl::Status ComposedServing::Start(const ServerOptions& options) {
  if (absl::Status status = CheckQueueBytes(options.max_queue_bytes, model_); !status.ok()) return status;
  const std::vector<ProcessorSet> processors =
      options.pin ? AssignProcessors(options.processors, options.slots, options.threads_per_slot)
                  : std::vector<ProcessorSet>();
  absl::Status found = FindLatencies(options, processors.empty() ? ProcessorSet() : processors.front());
  if (!found.ok()) return found;
  absl::StatusOr<std::unique_ptr<scheduler::SchedulingPolicy>> policy =
      scheduler::MakePolicy(options.policy, facts_.profile);
  if (!policy.ok()) return policy.status();
  policy_ = *std::move(policy);
  StartScheduler(options, processors);
  return StartGrpc(options);
}

absl::Status ComposedServing::FindLatencies(const ServerOptions& options, const ProcessorSet& processors) {
  absl::StatusOr<FoundProfile> found;
  RunOn(processors, [&] { found = FindProfile(*network_, loop_, options, WaitFor); });
  if (!found.ok()) return found.status();
  facts_.profile = std::move(found->profile.latencies);
  facts_.profile_note = std::move(found->note);
  if (found->profile.kernels.has_value()) facts_.isa = found->profile.kernels->isa;
  return CheckFloors(model_, facts_.profile.points);
}

void ComposedServing::StartScheduler(const ServerOptions& options, const std::vector<ProcessorSet>& processors) {
  const std::optional<model::DeviceReading> device = network_->ReadDevice();
  metrics_.emplace(MetricsLabels(model_, facts_, options, device.has_value() ? device->uuid : ""));
  edge_metrics_.emplace(*metrics_);
  edge_log_.emplace(*edge_metrics_, options.log);
  std::vector<scheduler::SchedulerObserver*> observers = {&*metrics_, &statistics_};
  if (options.triton_metrics) {
    observers.push_back(&triton_metrics_.emplace(model_.network.name, model_.network.version));
  }
  if (options.log != nullptr) observers.push_back(&log_observer_.emplace(model_, *options.log));
  runner_ = std::make_unique<ModelRunner>(
      *network_, loop_,
      ModelRunnerOptions{.slots = options.slots,
                         .max_batch = options.max_batch,
                         .processors = processors,
                         .on_network_lost = [this](const absl::Status& why) { OnNetworkLost(why); }});
  facts_.pinning = runner_->pinning();
  scheduler_.emplace(loop_, *runner_, *policy_, admission_, facts_.profile, std::move(observers),
                     MakeSchedulerOptions(options));
  loop_thread_ = std::thread([this] { loop_.Run(); });
}

absl::Status ComposedServing::StartGrpc(const ServerOptions& options) {
  memory_.emplace(RequestLimitBytes(options, model_));
  facts_.request_limit_bytes = memory_->limit_bytes();
  infer_parts_.emplace(ModelInferParts{.model = model_,
                                       .state = state_,
                                       .scheduler = *scheduler_,
                                       .loop = loop_,
                                       .memory = *memory_,
                                       .observer = *edge_log_,
                                       .wall_now = [] { return std::chrono::system_clock::now(); }});
  infer_.emplace(*infer_parts_);
  stream_.emplace(*infer_parts_);
  rest_.emplace(*infer_parts_, description_);
  absl::StatusOr<std::unique_ptr<GrpcServer>> grpc =
      GrpcServer::Start(options, {.model = model_,
                                  .description = description_,
                                  .loop = loop_,
                                  .infer = *infer_,
                                  .stream = *stream_,
                                  .observer = *edge_log_,
                                  .security = security_,
                                  .request_limit_bytes = memory_->limit_bytes()});
  if (!grpc.ok()) return grpc.status();
  grpc_ = *std::move(grpc);
  {
    absl::MutexLock lock(&health_mutex_);
    grpc_to_tell_ = grpc_.get();
  }
  facts_.grpc_port = grpc_->port();
  facts_.grpc_ports = grpc_->ports();
  return absl::OkStatus();
}

void ComposedServing::OnNetworkLost(const absl::Status& why) {
  if (network_lost_.exchange(true)) return;
  std::cerr << "anybit-server: no longer ready: " << why.message() << std::endl;
  state_ = ServingState::kLeaving;
  absl::MutexLock lock(&health_mutex_);
  if (grpc_to_tell_ != nullptr) grpc_to_tell_->SetReadiness(false);
}

std::string ComposedServing::MetricsText() {
  if (const std::optional<model::DeviceReading> reading = network_->ReadDevice(); reading.has_value()) {
    metrics_->SetDevice({.utilization = reading->utilization,
                         .memory_used_bytes = reading->memory_used_bytes,
                         .memory_total_bytes = reading->memory_total_bytes,
                         .temperature_celsius = reading->temperature_celsius,
                         .power_watts = reading->power_watts,
                         .uncorrected_memory_errors = reading->uncorrected_memory_errors});
  }
  metrics_->SetRequestBytes(memory_->held_bytes(), memory_->limit_bytes());
  if (const std::shared_ptr<const TlsIdentity> identity = security_.tls_identity()) {
    metrics_->SetCertificateExpiry(identity->expires);
  }
  metrics_->SetProcessUsage(metrics::ReadProcessUsage());
  metrics_->SetReady(state_ == ServingState::kReady);
  return triton_metrics_.has_value() ? absl::StrCat(metrics_->Text(), triton_metrics_->Text()) : metrics_->Text();
}

void ComposedServing::SetReadiness(bool ready) {
  ready = ready && !network_lost_;
  state_ = ready ? ServingState::kReady : ServingState::kLeaving;
  grpc_->SetReadiness(ready);
}

void ComposedServing::Drain(absl::AnyInvocable<void()> drained) {
  grpc_->Drain([this, drained = std::move(drained)]() mutable {
    stream_->Drain();
    rest_->Drain();
    // A call that is not taken yet is not open yet.
    grpc_->WhenAllTaken([this, drained = std::move(drained)]() mutable {
      infer_->WhenIdle([this, drained = std::move(drained)]() mutable {
        stream_->WhenIdle([this, drained = std::move(drained)]() mutable {
          rest_->WhenIdle([this, drained = std::move(drained)]() mutable { scheduler_->Drain(std::move(drained)); });
        });
      });
    });
  });
}

void ComposedServing::Stop(Duration grace) {
  if (grpc_ != nullptr) {
    state_ = ServingState::kLeaving;
    {
      absl::MutexLock lock(&health_mutex_);
      grpc_to_tell_ = nullptr;
    }
    grpc_->Stop(grace);
    grpc_.reset();
  }
  loop_.Stop();
  if (loop_thread_.joinable()) loop_thread_.join();
  runner_.reset();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Serving>> ComposeServing(const ServerOptions& options, const Security& security,
                                                        std::unique_ptr<model::AdaptiveNetwork> network) {
  auto serving = std::make_unique<ComposedServing>(options, security, std::move(network));
  if (absl::Status status = serving->Start(options); !status.ok()) return status;
  return serving;
}

}  // namespace anybit::server
