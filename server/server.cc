#include "server/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <chrono>
#include <climits>
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
#include "base/listening_sockets.h"
#include "metrics/serving_metrics.h"
#include "proto/health.pb.h"
#include "scheduler/admission.h"
#include "scheduler/asio_event_loop.h"
#include "scheduler/policies/registry.h"
#include "scheduler/scheduler.h"
#include "server/control_groups.h"
#include "server/inference_service.h"
#include "server/model_runner.h"
#include "server/processors.h"
#include "server/profile_finder.h"
#include "server/request_memory.h"
#include "server/served_model.h"
#include "server/translate.h"

namespace anybit {
namespace {

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

// Runs `work` where a slot's batches will run, which is what its measurements are for.
void RunOn(const ProcessorSet& processors, absl::FunctionRef<void()> work) {
  std::thread([&] {
    (void)PinThisThread(processors);  // refused again for the slot, and reported then
    work();
  }).join();
}

ServingMetricsLabels MetricsLabels(const ServedModel& model, const PointTable& points, const std::string& isa,
                                   int slots) {
  ServingMetricsLabels labels{.model = model.network.name,
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

// What every gRPC server of this process gets: grpc.health.v1.Health and reflection. Both are process-wide switches of
// the library and must be set before the first server is built.
void EnablePlugins() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // Reflection describes what is in the program's pool of descriptors; that links it.
    return grpc::health::v1::HealthCheckRequest::descriptor() != nullptr;
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

absl::Status CheckQueueBytes(int64_t bytes, const ServedModel& model) {
  const int64_t largest = InferenceService::LargestCallBytes(model);
  if (bytes == 0 || bytes >= largest) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--max_queue_bytes is ", bytes, ", less than the ", largest,
                                                 " bytes that the largest request takes"));
}

absl::Status CanServeGrpc(const std::string& address) {
  const absl::Status status = ListeningSockets::CanOpen(address);
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat("cannot serve gRPC: ", status.message()));
}

// Milliseconds for a channel argument; `none` for a duration of 0.
int ArgumentMillis(Duration duration, int none) {
  if (duration == Duration::zero()) return none;
  return static_cast<int>(std::max<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(duration).count(), 1));
}

// What a call's message may bring along before we ask for it. Once we do, the window opens for the whole message.
constexpr int kUnreadBytes = 16 * 1024;
// What a call takes of memory before it is read, at most: the above, gRPC's call and stream.
constexpr int64_t kUnreadCallBytes = 2 * kUnreadBytes;
constexpr int64_t kLeastStreams = 100;

}  // namespace

// Members stand in the order of their making; Stop takes them apart.
struct Server::Serving {
  std::unique_ptr<AdaptiveNetwork> network;
  std::string isa;
  AsioEventLoop loop;
  Profile profile;
  std::string profile_note;
  ServedModel model;
  std::unique_ptr<SchedulingPolicy> policy;
  AdmissionControl admission;
  std::optional<ServingMetrics> metrics;
  std::optional<Scheduler> scheduler;
  std::unique_ptr<ModelRunner> runner;  // its threads answer to scheduler and loop, so it goes before both
  std::optional<RequestMemory> memory;
  std::optional<InferenceService> service;
  int64_t grpc_bytes = 0;  // that gRPC should stay below, what requests hold included
  int grpc_port = 0;
  std::unique_ptr<grpc::Server> grpc;       // its threads use all of the above
  grpc_completion_queue* goaway = nullptr;  // of the drain: gets one event when the last call has ended
  std::thread loop_thread;
};

Server::Server(ServerOptions options) : options_(std::move(options)) {}

Server::~Server() { Stop(Duration::zero()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(ServerOptions options) {
  if (absl::Status status = ValidateOptions(options); !status.ok()) return status;
  std::unique_ptr<Server> server(new Server(std::move(options)));
  // gRPC binds last, and says only that it could not.
  if (absl::Status status = CanServeGrpc(server->options_.grpc_address); !status.ok()) return status;
  if (server->options_.http_address.empty()) return server;
  Server* self = server.get();
  auto exposer = Exposer::Start(self->options_.http_address, {.metrics = [self] { return self->MetricsText(); },
                                                              .ready = [self] { return self->ready_.load(); }});
  if (!exposer.ok()) return exposer.status();
  self->exposer_ = *std::move(exposer);
  return server;
}

absl::Status Server::Serve(std::unique_ptr<AdaptiveNetwork> network) {
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
  absl::StatusOr<std::unique_ptr<SchedulingPolicy>> policy = MakePolicy(options_.policy, s.profile);
  if (!policy.ok()) return policy.status();
  s.policy = *std::move(policy);

  s.metrics.emplace(MetricsLabels(s.model, s.profile.points, s.isa, options_.slots));
  s.runner = std::make_unique<ModelRunner>(
      *s.network, s.loop,
      ModelRunnerOptions{.slots = options_.slots, .max_batch = options_.max_batch, .processors = processors});
  s.scheduler.emplace(s.loop, *s.runner, *s.policy, s.admission, s.profile,
                      std::vector<SchedulerObserver*>{&*s.metrics}, MakeSchedulerOptions(options_));
  s.loop_thread = std::thread([&s] { s.loop.Run(); });
  LimitMemory();
  shown_ = serving_.get();
  s.service.emplace(s.model, *s.scheduler, s.loop, *s.memory, *s.metrics);
  if (absl::Status status = StartGrpc(); !status.ok()) return status;
  s.service->SetState(ServingState::kReady);
  SetReadiness(*s.grpc, true);
  ready_ = true;
  return absl::OkStatus();
}

void Server::LimitMemory() {
  Serving& s = *serving_;
  const int64_t left = std::max<int64_t>(UsableMemoryBytes() - ResidentMemoryBytes(), 0);
  const int64_t limit = options_.max_queue_bytes != 0 ? options_.max_queue_bytes
                                                      : std::max(left / 2, InferenceService::LargestCallBytes(s.model));
  s.memory.emplace(limit);
  s.grpc_bytes = limit + limit / 2;
}

absl::Status Server::StartGrpc() {
  Serving& s = *serving_;
  const ConnectionOptions& connections = options_.connections;
  EnablePlugins();
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options_.grpc_address, grpc::InsecureServerCredentials(), &s.grpc_port);
  builder.RegisterService(&*s.service);
  builder.RegisterCallbackGenericService(&*s.service);
  builder.SetMaxReceiveMessageSize(LargestRequestBytes(s.model));
  // Otherwise a second server on the same port would start, and each get some of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);

  // Beyond this gRPC reads less, then ends calls: the last resort, after the limits of streams, of what a stream may
  // send unasked, and of what requests hold.
  grpc::ResourceQuota quota("anybit");
  quota.Resize(static_cast<size_t>(s.grpc_bytes));
  builder.SetResourceQuota(quota);
  const int64_t fitting = std::clamp<int64_t>(s.memory->limit_bytes() / 4 / kUnreadCallBytes, kLeastStreams, 1 << 30);
  const int streams = connections.max_streams != 0 ? connections.max_streams : static_cast<int>(fitting);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, streams);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kUnreadBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // it would raise the above to the connection's bandwidth

  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             ArgumentMillis(connections.min_ping_interval, 0));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, ArgumentMillis(connections.keepalive_time, INT_MAX));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ArgumentMillis(connections.keepalive_timeout, INT_MAX));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, ArgumentMillis(connections.max_idle, INT_MAX));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, ArgumentMillis(connections.max_age, INT_MAX));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, ArgumentMillis(options_.drain_timeout, 1));

  s.grpc = builder.BuildAndStart();
  if (s.grpc != nullptr && s.grpc_port != 0) return absl::OkStatus();
  if (absl::Status status = CanServeGrpc(options_.grpc_address); !status.ok()) return status;
  return absl::UnavailableError(
      absl::StrCat("cannot serve gRPC: ", options_.grpc_address, " could not be bound; now it could be"));
}

void Server::StopBeingReady() {
  ready_ = false;
  serving_->service->SetState(ServingState::kLeaving);
  SetReadiness(*serving_->grpc, false);
}

void Server::Drain(absl::AnyInvocable<void()> drained) {
  StopBeingReady();
  Serving& s = *serving_;
  // The C++ library's Shutdown would block until its deadline, which nobody knows yet.
  s.goaway = grpc_completion_queue_create_for_next(nullptr);
  grpc_server_shutdown_and_notify(s.grpc->c_server(), s.goaway, nullptr);
  s.service->WhenIdle([&s, drained = std::move(drained)]() mutable { s.scheduler->Drain(std::move(drained)); });
}

void Server::Stop(Duration grace) {
  ready_ = false;
  exposer_.reset();  // first, because its pages look at the rest
  shown_ = nullptr;
  if (serving_ == nullptr) return;
  Serving& s = *serving_;
  if (s.grpc != nullptr) {
    if (s.service.has_value()) s.service->SetState(ServingState::kLeaving);
    s.grpc->GetHealthCheckService()->Shutdown();
    // Cancels what is still open at that time; the scheduler, whose loop still runs, answers each of them.
    s.grpc->Shutdown(std::chrono::system_clock::now() + grace);
    if (s.goaway != nullptr) {
      grpc_completion_queue_shutdown(s.goaway);
      const gpr_timespec never = gpr_inf_future(GPR_CLOCK_REALTIME);
      while (grpc_completion_queue_next(s.goaway, never, nullptr).type != GRPC_QUEUE_SHUTDOWN) {
      }
      grpc_completion_queue_destroy(s.goaway);
    }
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
int Server::grpc_port() const { return serving_->grpc_port; }
const Profile& Server::profile() const { return serving_->profile; }
const AdaptiveNetwork& Server::network() const { return *serving_->network; }
const std::string& Server::isa() const { return serving_->isa; }
const std::string& Server::profile_note() const { return serving_->profile_note; }
int64_t Server::request_limit_bytes() const { return serving_->memory->limit_bytes(); }
absl::Status Server::pinning() const { return serving_->runner->pinning(); }

}  // namespace anybit
