#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <chrono>
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
#include "model/kernel_chooser.h"
#include "scheduler/admission.h"
#include "scheduler/asio_event_loop.h"
#include "scheduler/policies/registry.h"
#include "scheduler/scheduler.h"
#include "server/inference_service.h"
#include "server/model_runner.h"
#include "server/processors.h"
#include "server/profile_file.h"
#include "server/profiler.h"
#include "server/served_model.h"
#include "server/translate.h"

namespace anybit {
namespace {

// What measuring may take at the start. The default network needs two to three seconds to choose on a busy core with
// AVX2; a layer that is left to a guess may take four times as long for one row. Less is used where less is needed.
constexpr Duration kChoosingBudget = std::chrono::seconds(4);
constexpr Duration kProfilingBudget = std::chrono::seconds(2);

// A promise that no operating point can keep is refused at the start, not at each request.
absl::Status CheckFloors(const ServedModel& model, const PointTable& points) {
  int best = 0;
  for (const PointInfo& point : points) best = std::max(best, ToBasisPoints(point.accuracy));
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
SchedulerOptions MakeSchedulerOptions(const ServerOptions& options) {
  SchedulerOptions made{.max_queue_requests = options.max_queue};
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

// `profile` for this network and batch size: points in the network's order, accuracies from the network.
absl::StatusOr<Profile> FitProfile(const Profile& profile, const NetworkDescription& network, int max_batch) {
  if (profile.max_batch < max_batch) {
    return absl::InvalidArgumentError(absl::StrCat("the profile has batches of up to ", profile.max_batch,
                                                   " rows, fewer than --max_batch ", max_batch));
  }
  Profile fitted{.max_batch = max_batch};
  for (const OperatingPoint& point : network.points) {
    const auto found = std::find_if(profile.points.begin(), profile.points.end(),
                                    [&](const PointInfo& info) { return info.name == point.name; });
    if (found == profile.points.end()) {
      return absl::InvalidArgumentError(absl::StrCat("the profile has no operating point ", point.name));
    }
    const auto& latency = profile.latency[found - profile.points.begin()];
    fitted.points.push_back({.name = point.name, .accuracy = point.accuracy});
    fitted.latency.emplace_back(latency.begin(), latency.begin() + max_batch);
  }
  return fitted;
}

// Chooses for batches of up to `max_batch` rows.
void MeasureChoices(KernelChooser& chooser, const EventLoop& loop, int max_batch) {
  chooser.MeasureChoices(max_batch, kChoosingBudget.count(),
                         [&loop] { return loop.Now().time_since_epoch().count(); });
}

// `measured`'s kernels where it has any; otherwise measures.
absl::Status FitChoices(const MeasuredProfile& measured, KernelChooser& chooser, const EventLoop& loop, int max_batch) {
  if (measured.kernels.has_value()) return chooser.SetChoices(*measured.kernels);
  MeasureChoices(chooser, loop, max_batch);
  return absl::OkStatus();
}

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("profile ", path, ": ", status.message()));
}

// Runs `work` where a slot's batches will run, which is what its measurements are for.
void RunOn(const ProcessorSet& processors, absl::FunctionRef<void()> work) {
  std::thread([&] {
    (void)PinThisThread(processors);   // refused again for the slot, and reported then
    work();
  }).join();
}

ServingMetricsLabels MetricsLabels(const ServedModel& model, const PointTable& points, const std::string& isa) {
  ServingMetricsLabels labels{.model = model.network.name,
                              .version = model.network.version,
                              .isa = isa,
                              .points = points,
                              .max_batch = model.max_batch};
  for (const SlaClass& sla_class : model.sla_classes) {
    labels.sla_classes.push_back({.name = sla_class.name, .objective = sla_class.objective});
  }
  for (const Tenant& tenant : model.tenants) labels.tenants.push_back(tenant.name);
  return labels;
}

// What every gRPC server of this process gets: grpc.health.v1.Health and reflection. Both are process-wide switches of
// the library and must be set before the first server is built.
void EnablePlugins() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)enabled;
}

// "liveness" is the process, the others are readiness.
constexpr const char* kReadinessServices[] = {"", "readiness", "inference.GRPCInferenceService"};

void SetReadiness(grpc::Server& server, bool ready) {
  grpc::HealthCheckServiceInterface* health = server.GetHealthCheckService();
  health->SetServingStatus("liveness", true);
  for (const char* service : kReadinessServices) health->SetServingStatus(service, ready);
}

}  // namespace

// Members stand in the order of their making; Stop takes them apart.
struct Server::Serving {
  std::unique_ptr<AdaptiveNetwork> network;
  std::string isa;
  AsioEventLoop loop;
  Profile profile;
  ServedModel model;
  std::unique_ptr<SchedulingPolicy> policy;
  AdmissionControl admission;
  std::optional<ServingMetrics> metrics;
  std::optional<Scheduler> scheduler;
  std::unique_ptr<ModelRunner> runner;         // its threads answer to scheduler and loop, so it goes before both
  std::optional<InferenceService> service;
  int grpc_port = 0;
  std::unique_ptr<grpc::Server> grpc;          // its threads use all of the above
  std::thread loop_thread;
};

Server::Server(ServerOptions options) : options_(std::move(options)) {}

Server::~Server() { Stop(Duration::zero()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(ServerOptions options) {
  if (absl::Status status = ValidateOptions(options); !status.ok()) return status;
  std::unique_ptr<Server> server(new Server(std::move(options)));
  if (server->options_.http_address.empty()) return server;
  Server* self = server.get();
  auto exposer = Exposer::Start(self->options_.http_address, {.metrics = [self] { return self->MetricsText(); },
                                                              .ready = [self] { return self->ready_.load(); }});
  if (!exposer.ok()) return exposer.status();
  self->exposer_ = *std::move(exposer);
  return server;
}

absl::StatusOr<Profile> Server::FindProfile(AdaptiveNetwork& network, const EventLoop& loop) const {
  KernelChooser* chooser = network.kernel_chooser();
  const auto measure = [&] {
    if (chooser != nullptr) MeasureChoices(*chooser, loop, options_.max_batch);
    return MeasureProfile(network, loop, {.max_batch = options_.max_batch, .budget = kProfilingBudget});
  };
  if (options_.profile.empty()) return measure();
  const absl::StatusOr<MeasuredProfile> stored = ReadProfile(options_.profile);
  if (!stored.ok()) return stored.status();
  // Latencies of another instruction set are none of this one's.
  const bool other = chooser != nullptr && stored->kernels.has_value() && stored->kernels->isa != chooser->choices().isa;
  if (other) return measure();
  absl::StatusOr<Profile> fitted = FitProfile(stored->latencies, network.description(), options_.max_batch);
  if (!fitted.ok()) return InFile(options_.profile, fitted.status());
  if (chooser != nullptr) {
    if (absl::Status status = FitChoices(*stored, *chooser, loop, options_.max_batch); !status.ok()) {
      return InFile(options_.profile, status);
    }
    // What packs weights for its kernels packs them now: a first request must not wait for it.
    if (absl::Status status = RunEachPointOnce(network, loop); !status.ok()) return status;
  }
  return fitted;
}

absl::Status Server::Serve(std::unique_ptr<AdaptiveNetwork> network) {
  serving_ = std::make_unique<Serving>();
  Serving& s = *serving_;
  s.network = std::move(network);
  s.model = {.network = s.network->description(),
             .max_batch = options_.max_batch,
             .sla_classes = options_.sla_classes,
             .tenants = options_.tenants};
  const std::vector<ProcessorSet> processors =
      options_.pin ? AssignProcessors(options_.processors, options_.slots, options_.threads_per_slot)
                   : std::vector<ProcessorSet>();

  absl::StatusOr<Profile> profile;
  RunOn(processors.empty() ? ProcessorSet() : processors.front(), [&] { profile = FindProfile(*s.network, s.loop); });
  if (!profile.ok()) return profile.status();
  s.profile = *std::move(profile);
  if (absl::Status status = CheckFloors(s.model, s.profile.points); !status.ok()) return status;
  MeasuredProfile measured{.latencies = s.profile, .kernels = std::nullopt};
  if (KernelChooser* chooser = s.network->kernel_chooser(); chooser != nullptr) measured.kernels = chooser->choices();
  if (measured.kernels.has_value()) s.isa = measured.kernels->isa;
  if (!options_.save_profile.empty()) {
    if (absl::Status status = WriteProfile(measured, options_.save_profile); !status.ok()) return status;
  }
  absl::StatusOr<std::unique_ptr<SchedulingPolicy>> policy = MakePolicy(options_.policy, s.profile);
  if (!policy.ok()) return policy.status();
  s.policy = *std::move(policy);

  s.metrics.emplace(MetricsLabels(s.model, s.profile.points, s.isa));
  shown_ = serving_.get();
  s.runner = std::make_unique<ModelRunner>(
      *s.network, s.loop,
      ModelRunnerOptions{.slots = options_.slots, .max_batch = options_.max_batch, .processors = processors});
  s.scheduler.emplace(s.loop, *s.runner, *s.policy, s.admission, s.profile,
                      std::vector<SchedulerObserver*>{&*s.metrics}, MakeSchedulerOptions(options_));
  s.loop_thread = std::thread([&s] { s.loop.Run(); });
  s.service.emplace(s.model, *s.scheduler, s.loop, *s.metrics);

  EnablePlugins();
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options_.grpc_address, grpc::InsecureServerCredentials(), &s.grpc_port);
  builder.RegisterService(&*s.service);
  builder.SetMaxReceiveMessageSize(LargestRequestBytes(s.model));
  // Otherwise a second server on the same port would start, and each get some of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  s.grpc = builder.BuildAndStart();
  if (s.grpc == nullptr || s.grpc_port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot serve gRPC on ", options_.grpc_address,
                                               ", perhaps because another process does"));
  }
  s.service->SetState(ServingState::kReady);
  SetReadiness(*s.grpc, true);
  ready_ = true;
  return absl::OkStatus();
}

void Server::StopBeingReady() {
  ready_ = false;
  serving_->service->SetState(ServingState::kLeaving);
  SetReadiness(*serving_->grpc, false);
}

void Server::Drain(absl::AnyInvocable<void()> drained) {
  StopBeingReady();
  serving_->scheduler->Drain(std::move(drained));
}

void Server::Stop(Duration grace) {
  ready_ = false;
  exposer_.reset();   // first, because its pages look at the rest
  shown_ = nullptr;
  if (serving_ == nullptr) return;
  Serving& s = *serving_;
  if (s.grpc != nullptr) {
    if (s.service.has_value()) s.service->SetState(ServingState::kLeaving);
    s.grpc->GetHealthCheckService()->Shutdown();
    // Cancels what is still open at that time; the scheduler, whose loop still runs, answers each of them.
    s.grpc->Shutdown(std::chrono::system_clock::now() + grace);
    s.grpc.reset();
  }
  s.loop.Stop();
  if (s.loop_thread.joinable()) s.loop_thread.join();
  s.runner.reset();
  serving_.reset();
}

std::string Server::MetricsText() const {
  const Serving* shown = shown_;
  return shown == nullptr ? "" : shown->metrics->Text();
}

int Server::http_port() const { return exposer_ == nullptr ? 0 : exposer_->port(); }
int Server::grpc_port() const { return serving_->grpc_port; }
const Profile& Server::profile() const { return serving_->profile; }
const AdaptiveNetwork& Server::network() const { return *serving_->network; }
const std::string& Server::isa() const { return serving_->isa; }
absl::Status Server::pinning() const { return serving_->runner->pinning(); }

}  // namespace anybit
