#include "server/compose_serving.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/version.h"
#include "metrics/metrics_page.h"
#include "metrics/process_usage.h"
#include "metrics/server_metrics.h"
#include "model/engine/device_reading.h"
#include "scheduler/loop/asio_event_loop.h"
#include "scheduler/scheduler.h"
#include "server/admin_log.h"
#include "server/compose_version.h"
#include "server/control_groups.h"
#include "server/description_methods.h"
#include "server/edge_metrics.h"
#include "server/edge_observer.h"
#include "server/event_log.h"
#include "server/grpc_server.h"
#include "server/log_observer.h"
#include "server/model_infer_calls.h"
#include "server/model_repository.h"
#include "server/processors.h"
#include "server/request_journal.h"
#include "server/request_memory.h"
#include "server/rest/rest_service.h"
#include "server/served_model.h"
#include "server/served_versions.h"
#include "server/serving_state.h"
#include "server/slot_turns.h"
#include "server/stream_infer_calls.h"

namespace anybit::server {
namespace {

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

// An artifact is read as a whole and becomes a store of about its size. Panels, candidates of the measurement and
// scratch of the default network (6.2 MB) took 111 MB at most while it was loaded beside itself.
constexpr int64_t kFileCopies = 2;
constexpr int64_t kPanelFactor = 16;

// Whether an artifact of `bytes` may be served besides what is, when requests may still take `requests` bytes.
absl::Status HasMemory(int64_t bytes, int64_t requests, const ServerOptions& options) {
  const int64_t panels = std::min(int64_t{options.panel_memory} << 20, kPanelFactor * bytes);
  const int64_t needed = kFileCopies * bytes + panels;
  const int64_t left = UsableMemoryBytes() - ResidentMemoryBytes() - requests;
  if (needed <= left) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("an artifact of ", bytes, " bytes may take ", needed,
                                                   " bytes besides the served one, and ", std::max<int64_t>(left, 0),
                                                   " are left beyond those that requests may hold"));
}

// The parts stand in the order of their making; Stop takes them apart.
class ComposedServing final : public Serving {
 public:
  ComposedServing(const ServerOptions& options, const Security& security, LoadNetworkFrom load,
                  const std::string& device_uuid);
  ~ComposedServing() override { Stop(Duration::zero()); }

  // Once. After an error it can only be destroyed.
  absl::Status Start(std::unique_ptr<model::AdaptiveNetwork> network);

  const ServingFacts& facts() const override { return facts_; }
  std::string MetricsText() override;
  bool CanServe() const override { return !network_lost_ && versions_->labels().stable != nullptr; }
  HttpAction RouteHttp(const HttpHead& head, const Caller& caller) override { return rest_->Route(head, caller); }
  void SetReadiness(bool ready) override;
  void Drain(absl::AnyInvocable<void()> drained) override;
  void Stop(Duration grace) override;

 private:
  // Any thread.
  void OnNetworkLost(const absl::Status& why);

  absl::Status StartFirstVersion(std::unique_ptr<model::AdaptiveNetwork> network);
  void StartRepository();
  absl::Status StartGrpc();
  void ShowReadiness();
  std::optional<model::DeviceReading> ReadDevice() const;
  void DrainSchedulers(absl::AnyInvocable<void()> drained);

  const ServerOptions options_;
  const Security& security_;
  const LoadNetworkFrom load_;
  ServingFacts facts_;
  scheduler::AsioEventLoop clock_;  // asked for the time, and to hold what is posted to the versions' loops
  metrics::MetricsPage page_;
  metrics::ServerMetrics server_metrics_;
  EdgeMetrics edge_metrics_{server_metrics_};
  EdgeLog edge_log_{edge_metrics_, options_.log};
  AdminLog log_{[log = options_.log](LogLevel level, absl::string_view text, NoticeStyle style) {
    Say(log, level, text, style);
  }};
  RequestJournal journal_{options_.trace_file, log_};
  SlotTurns turns_{options_.slots};
  const VersionSurroundings surroundings_;
  std::optional<RequestMemory> memory_;
  SharedServingState state_ = ServingState::kStarting;
  std::atomic<bool> network_lost_ = false;  // the slots' threads write it, any reads it
  ServedModel contract_;                    // of the first version
  std::optional<ServedVersions> versions_;
  std::optional<ModelRepository> repository_;  // its thread ends versions
  std::optional<ModelInferParts> infer_parts_;
  std::optional<DescriptionMethods> description_;
  std::optional<ModelInferCalls> infer_;
  std::optional<StreamInferCalls> stream_;
  std::optional<RestService> rest_;

  absl::Mutex mutex_;
  bool is_wanted_ready_ ABSL_GUARDED_BY(mutex_) = false;
  GrpcServer* grpc_to_tell_ ABSL_GUARDED_BY(mutex_) = nullptr;  // while it runs
  std::unique_ptr<GrpcServer> grpc_;                            // its threads use all of the above
};

ComposedServing::ComposedServing(const ServerOptions& options, const Security& security, LoadNetworkFrom load,
                                 const std::string& device_uuid)
    : options_(options),
      security_(security),
      load_(std::move(load)),
      server_metrics_(page_, {.refused_call_reasons = {kRefusedCallReasonNames.begin(), kRefusedCallReasonNames.end()},
                              .device_uuid = device_uuid,
                              .build_version = std::string(kVersion),
                              .commit = options.commit}),
      surroundings_{.options = options_,
                    .processors = options.pin
                                      ? AssignProcessors(options.processors, options.slots, options.threads_per_slot)
                                      : std::vector<ProcessorSet>(),
                    .turns = turns_,
                    .page = page_,
                    .on_network_lost = [this](const absl::Status& why) { OnNetworkLost(why); }} {}

absl::Status ComposedServing::Start(std::unique_ptr<model::AdaptiveNetwork> network) {
  contract_ = {.network = network->description(),
               .max_batch = options_.max_batch,
               .sla_classes = options_.sla_classes,
               .tenants = options_.tenants};
  facts_.network = contract_.network;
  if (absl::Status status = CheckQueueBytes(options_.max_queue_bytes, contract_); !status.ok()) return status;
  versions_.emplace(contract_.network.name);
  StartRepository();
  if (absl::Status status = StartFirstVersion(std::move(network)); !status.ok()) return status;
  return StartGrpc();
}

void ComposedServing::StartRepository() {
  repository_.emplace(ModelRepository::Parts{
      .versions = *versions_,
      .state = state_,
      .log = log_,
      .artifact = options_.artifact,
      .is_allowed = options_.admin,
      .load = load_,
      .start = [this](std::unique_ptr<model::AdaptiveNetwork> network,
                      const std::stop_token& stop) -> absl::StatusOr<std::unique_ptr<ServedVersion>> {
        absl::StatusOr<std::unique_ptr<ComposedVersion>> version =
            ComposeVersion(surroundings_, std::move(network), /*reloaded=*/true, stop);
        if (!version.ok()) return version.status();
        return *std::move(version);
      },
      .has_memory =
          [this](int64_t bytes) { return HasMemory(bytes, memory_->limit_bytes() - memory_->held_bytes(), options_); },
      .changed = [this] { ShowReadiness(); },
      .ended = RequestMemory::TrimHeap});
}

absl::Status ComposedServing::StartFirstVersion(std::unique_ptr<model::AdaptiveNetwork> network) {
  absl::StatusOr<std::unique_ptr<ComposedVersion>> version =
      ComposeVersion(surroundings_, std::move(network), /*reloaded=*/false);
  if (!version.ok()) return version.status();
  const ComposedVersion::Facts& facts = (*version)->facts();
  facts_.profile = facts.profile;
  facts_.profile_note = facts.profile_note;
  facts_.isa = facts.isa;
  facts_.pinning = facts.pinning;
  repository_->Begin(*std::move(version));
  return absl::OkStatus();
}

absl::Status ComposedServing::StartGrpc() {
  memory_.emplace(RequestLimitBytes(options_, contract_));
  facts_.request_limit_bytes = memory_->limit_bytes();
  infer_parts_.emplace(ModelInferParts{.contract = contract_,
                                       .versions = *versions_,
                                       .state = state_,
                                       .loop = clock_,
                                       .memory = *memory_,
                                       .observer = edge_log_,
                                       .journal = journal_,
                                       .wall_now = WallNow});
  description_.emplace(DescriptionMethods::Parts{.versions = *versions_,
                                                 .repository = *repository_,
                                                 .state = state_,
                                                 .journal = journal_,
                                                 .log = log_,
                                                 .is_admin = options_.admin});
  infer_.emplace(*infer_parts_);
  stream_.emplace(*infer_parts_);
  rest_.emplace(*infer_parts_, *description_, *repository_);
  absl::StatusOr<std::unique_ptr<GrpcServer>> grpc =
      GrpcServer::Start(options_, {.model = contract_,
                                   .description = *description_,
                                   .repository = *repository_,
                                   .loop = clock_,
                                   .infer = *infer_,
                                   .stream = *stream_,
                                   .versions = *versions_,
                                   .memory = *memory_,
                                   .observer = edge_log_,
                                   .security = security_,
                                   .request_limit_bytes = memory_->limit_bytes()});
  if (!grpc.ok()) return grpc.status();
  grpc_ = *std::move(grpc);
  {
    absl::MutexLock lock(&mutex_);
    grpc_to_tell_ = grpc_.get();
  }
  facts_.grpc_port = grpc_->port();
  facts_.grpc_ports = grpc_->ports();
  return absl::OkStatus();
}

void ComposedServing::OnNetworkLost(const absl::Status& why) {
  if (network_lost_.exchange(true)) return;
  Say(options_.log, LogLevel::kError, absl::StrCat("no longer ready: ", why.message()));
  state_ = ServingState::kLeaving;
  ShowReadiness();
}

// Versions have one device in common.
std::optional<model::DeviceReading> ComposedServing::ReadDevice() const {
  for (const SharedVersion& version : versions_->labels().all()) {
    if (std::optional<model::DeviceReading> reading = version->ReadDevice(); reading.has_value()) return reading;
  }
  return std::nullopt;
}

std::string ComposedServing::MetricsText() {
  if (const std::optional<model::DeviceReading> reading = ReadDevice(); reading.has_value()) {
    server_metrics_.SetDevice({.utilization = reading->utilization,
                               .memory_used_bytes = reading->memory_used_bytes,
                               .memory_total_bytes = reading->memory_total_bytes,
                               .temperature_celsius = reading->temperature_celsius,
                               .power_watts = reading->power_watts,
                               .uncorrected_memory_errors = reading->uncorrected_memory_errors});
  }
  for (const SharedVersion& version : versions_->labels().all()) version->UpdateMetrics();
  server_metrics_.SetRequestBytes(memory_->held_bytes(), memory_->limit_bytes());
  if (const std::shared_ptr<const TlsIdentity> identity = security_.tls_identity()) {
    server_metrics_.SetCertificateExpiry(identity->expires);
  }
  server_metrics_.SetProcessUsage(metrics::ReadProcessUsage());
  server_metrics_.SetReady(state_ == ServingState::kReady && CanServe());
  return page_.Text();
}

void ComposedServing::SetReadiness(bool ready) {
  ready = ready && !network_lost_;
  state_ = ready ? ServingState::kReady : ServingState::kLeaving;
  {
    absl::MutexLock lock(&mutex_);
    is_wanted_ready_ = ready;
  }
  ShowReadiness();
}

void ComposedServing::ShowReadiness() {
  absl::MutexLock lock(&mutex_);
  if (grpc_to_tell_ != nullptr) grpc_to_tell_->SetReadiness(is_wanted_ready_ && CanServe());
}

void ComposedServing::Drain(absl::AnyInvocable<void()> drained) {
  repository_->Drain();
  rest_->Drain();  // HTTP has no word for it, so its clients see it by the refusal
  grpc_->Drain([this, drained = std::move(drained)]() mutable {
    stream_->Drain();
    // A call that is not taken yet is not open yet.
    grpc_->WhenAllTaken([this, drained = std::move(drained)]() mutable {
      infer_->WhenIdle([this, drained = std::move(drained)]() mutable {
        stream_->WhenIdle([this, drained = std::move(drained)]() mutable {
          rest_->WhenIdle([this, drained = std::move(drained)]() mutable { DrainSchedulers(std::move(drained)); });
        });
      });
    });
  });
}

// Versions that were replaced have no requests by now.
void ComposedServing::DrainSchedulers(absl::AnyInvocable<void()> drained) {
  for (const SharedVersion& version : versions_->labels().all()) {
    drained = [version, drained = std::move(drained)]() mutable { version->scheduler().Drain(std::move(drained)); };
  }
  drained();
}

void ComposedServing::Stop(Duration grace) {
  if (grpc_ != nullptr) {
    state_ = ServingState::kLeaving;
    {
      absl::MutexLock lock(&mutex_);
      grpc_to_tell_ = nullptr;
    }
    repository_->Drain();
    grpc_->Stop(grace);
    grpc_.reset();
  }
  if (repository_.has_value()) repository_->Stop();
}

}  // namespace

MakeServing ComposeServingThatLoads(LoadNetworkFrom load) {
  return [load = std::move(load)](
             const ServerOptions& options, const Security& security,
             std::unique_ptr<model::AdaptiveNetwork> network) -> absl::StatusOr<std::unique_ptr<Serving>> {
    const std::optional<model::DeviceReading> device = network->ReadDevice();
    auto serving = std::make_unique<ComposedServing>(options, security, load, device.has_value() ? device->uuid : "");
    if (absl::Status status = serving->Start(std::move(network)); !status.ok()) return status;
    return serving;
  };
}

absl::StatusOr<std::unique_ptr<Serving>> ComposeServing(const ServerOptions& options, const Security& security,
                                                        std::unique_ptr<model::AdaptiveNetwork> network) {
  return ComposeServingThatLoads(nullptr)(options, security, std::move(network));
}

}  // namespace anybit::server
