#include "server/server.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "metrics/serving_metrics.h"
#include "scheduler/admission.h"
#include "scheduler/asio_event_loop.h"
#include "scheduler/policies/registry.h"
#include "scheduler/scheduler.h"
#include "server/control_groups.h"
#include "server/grpc_server.h"
#include "server/model_infer_calls.h"
#include "server/model_runner.h"
#include "server/processors.h"
#include "server/profile_finder.h"
#include "server/request_memory.h"
#include "server/served_model.h"
#include "server/serving_state.h"

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

// Runs `work` where a slot's batches will run, which is what its measurements are for.
void RunOn(const ProcessorSet& processors, absl::FunctionRef<void()> work) {
  std::thread([&] {
    (void)PinThisThread(processors);  // refused again for the slot, and reported then
    work();
  }).join();
}

metrics::ServingMetricsLabels MetricsLabels(const ServedModel& model, const scheduler::PointTable& points,
                                            const std::string& isa, int slots) {
  metrics::ServingMetricsLabels labels{.model = model.network.name,
                                       .version = model.network.version,
                                       .isa = isa,
                                       .points = points,
                                       .max_batch = model.max_batch,
                                       .slots = slots};
  for (const SlaClass& sla_class : model.sla_classes) {
    labels.sla_classes.push_back({.name = sla_class.name, .objective = sla_class.objective});
  }
  for (const Tenant& tenant : model.tenants) labels.tenants.push_back(tenant.name);
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

}  // namespace

// Members stand in the order of their making; Stop takes them apart.
struct Server::Serving {
  std::unique_ptr<model::AdaptiveNetwork> network;
  std::string isa;
  scheduler::AsioEventLoop loop;
  scheduler::Profile profile;
  std::string profile_note;
  ServedModel model;
  std::unique_ptr<scheduler::SchedulingPolicy> policy;
  scheduler::AdmissionControl admission;
  std::optional<metrics::ServingMetrics> metrics;
  std::optional<scheduler::Scheduler> scheduler;
  std::unique_ptr<ModelRunner> runner;  // its threads answer to scheduler and loop, so it goes before both
  std::optional<RequestMemory> memory;
  SharedServingState state = ServingState::kStarting;
  std::optional<ModelInferCalls> infer;
  std::unique_ptr<GrpcServer> grpc;  // its threads use all of the above
  std::thread loop_thread;
};

Server::Server(ServerOptions options) : options_(std::move(options)) {}

Server::~Server() { Stop(Duration::zero()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(ServerOptions options) {
  if (absl::Status status = ValidateOptions(options); !status.ok()) return status;
  std::unique_ptr<Server> server(new Server(std::move(options)));
  // gRPC binds last, and says only that it could not.
  if (absl::Status status = GrpcServer::CanServe(server->options_.grpc_address); !status.ok()) return status;
  if (server->options_.http_address.empty()) return server;
  Server* self = server.get();
  auto exposer = metrics::Exposer::Start(
      self->options_.http_address,
      {.metrics = [self] { return self->MetricsText(); }, .ready = [self] { return self->ready_.load(); }});
  if (!exposer.ok()) return exposer.status();
  self->exposer_ = *std::move(exposer);
  return server;
}

absl::Status Server::Serve(std::unique_ptr<model::AdaptiveNetwork> network) {
  serving_ = std::make_unique<Serving>();
  Serving& s = *serving_;
  s.network = std::move(network);
  s.model = {.network = s.network->description(),
             .max_batch = options_.max_batch,
             .sla_classes = options_.sla_classes,
             .tenants = options_.tenants};
  if (absl::Status status = CheckQueueBytes(options_.max_queue_bytes, s.model); !status.ok()) return status;
  const std::vector<ProcessorSet> processors =
      options_.pin ? AssignProcessors(options_.processors, options_.slots, options_.threads_per_slot)
                   : std::vector<ProcessorSet>();

  absl::StatusOr<FoundProfile> found;
  RunOn(processors.empty() ? ProcessorSet() : processors.front(),
        [&] { found = FindProfile(*s.network, s.loop, options_); });
  if (!found.ok()) return found.status();
  s.profile = std::move(found->profile.latencies);
  s.profile_note = std::move(found->note);
  if (found->profile.kernels.has_value()) s.isa = found->profile.kernels->isa;
  if (absl::Status status = CheckFloors(s.model, s.profile.points); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<scheduler::SchedulingPolicy>> policy =
      scheduler::MakePolicy(options_.policy, s.profile);
  if (!policy.ok()) return policy.status();
  s.policy = *std::move(policy);

  s.metrics.emplace(MetricsLabels(s.model, s.profile.points, s.isa, options_.slots));
  s.runner = std::make_unique<ModelRunner>(
      *s.network, s.loop,
      ModelRunnerOptions{.slots = options_.slots, .max_batch = options_.max_batch, .processors = processors});
  s.scheduler.emplace(s.loop, *s.runner, *s.policy, s.admission, s.profile,
                      std::vector<scheduler::SchedulerObserver*>{&*s.metrics}, MakeSchedulerOptions(options_));
  s.loop_thread = std::thread([&s] { s.loop.Run(); });
  s.memory.emplace(RequestLimitBytes(options_, s.model));
  shown_ = serving_.get();
  s.infer.emplace(ModelInferParts{.model = s.model,
                                  .state = s.state,
                                  .scheduler = *s.scheduler,
                                  .loop = s.loop,
                                  .memory = *s.memory,
                                  .observer = *s.metrics,
                                  .wall_now = [] { return std::chrono::system_clock::now(); }});
  absl::StatusOr<std::unique_ptr<GrpcServer>> grpc =
      GrpcServer::Start(options_, {.model = s.model,
                                   .state = s.state,
                                   .loop = s.loop,
                                   .infer = *s.infer,
                                   .observer = *s.metrics,
                                   .request_limit_bytes = s.memory->limit_bytes()});
  if (!grpc.ok()) return grpc.status();
  s.grpc = *std::move(grpc);
  s.state = ServingState::kReady;
  s.grpc->SetReadiness(true);
  ready_ = true;
  return absl::OkStatus();
}

void Server::StopBeingReady() {
  ready_ = false;
  serving_->state = ServingState::kLeaving;
  serving_->grpc->SetReadiness(false);
}

void Server::Drain(absl::AnyInvocable<void()> drained) {
  StopBeingReady();
  Serving& s = *serving_;
  s.grpc->Drain();
  // A call that is not taken yet is not open yet.
  s.grpc->WhenAllTaken([&s, drained = std::move(drained)]() mutable {
    s.infer->WhenIdle([&s, drained = std::move(drained)]() mutable { s.scheduler->Drain(std::move(drained)); });
  });
}

void Server::Stop(Duration grace) {
  ready_ = false;
  exposer_.reset();  // first, because its pages look at the rest
  shown_ = nullptr;
  if (serving_ == nullptr) return;
  Serving& s = *serving_;
  if (s.grpc != nullptr) {
    s.state = ServingState::kLeaving;
    s.grpc->Stop(grace);
    s.grpc.reset();
  }
  s.loop.Stop();
  if (s.loop_thread.joinable()) s.loop_thread.join();
  s.runner.reset();
  serving_.reset();
}

std::string Server::MetricsText() const {
  Serving* shown = shown_;
  if (shown == nullptr) return "";
  shown->metrics->SetRequestBytes(shown->memory->held_bytes(), shown->memory->limit_bytes());
  return shown->metrics->Text();
}

int Server::http_port() const { return exposer_ == nullptr ? 0 : exposer_->port(); }
int Server::grpc_port() const { return serving_->grpc->port(); }
const scheduler::Profile& Server::profile() const { return serving_->profile; }
const model::AdaptiveNetwork& Server::network() const { return *serving_->network; }
const std::string& Server::isa() const { return serving_->isa; }
const std::string& Server::profile_note() const { return serving_->profile_note; }
int64_t Server::request_limit_bytes() const { return serving_->memory->limit_bytes(); }
absl::Status Server::pinning() const { return serving_->runner->pinning(); }

}  // namespace anybit::server
