#include "server/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/listening_sockets.h"
#include "proto/health.grpc.pb.h"
#include "proto/inference.grpc.pb.h"
#include "server/grpc_status.h"
#include "server/security/check_call.h"
#include "server/shown_text.h"
#include "server/translate_request.h"
#include "server/without_plugins.h"

namespace anybit::server {
namespace {

// Base with each of Methods, class templates that gRPC generates, around it.
template <typename Base, template <typename> typename... Methods>
struct WithMethods {
  using Type = Base;
};
template <typename Base, template <typename> typename First, template <typename> typename... Rest>
struct WithMethods<Base, First, Rest...> {
  using Type = First<typename WithMethods<Base, Rest...>::Type>;
};
template <typename Base, template <typename> typename... Methods>
using AllGeneric = typename WithMethods<Base, Methods...>::Type;

// Bytes of a message that a call may send before it is read. When it is read, the window opens for the whole message.
constexpr int kUnreadBytes = 16 * 1024;
// Memory that a call takes before it is read, at most: the above, gRPC's call and stream.
constexpr int64_t kUnreadCallBytes = 2 * kUnreadBytes;
constexpr int64_t kMinStreams = 100;
// For clients to take what was written last.
constexpr Duration kLastBytes = std::chrono::seconds(1);
// For clients to confirm that they make no more calls here: long beside a round trip. At most half of the time to
// drain, whose other half is for the calls.
constexpr Duration kLeaveLimit = std::chrono::seconds(1);

// The services as reflection lists them. Generic methods are the intake's. One method of each is a blocking one that
// gRPC serves, because reflection does not list a service of generic methods alone.
using Wire = inference::GRPCInferenceService;
using GenericInferenceMethods =
    AllGeneric<Wire::Service, Wire::WithGenericMethod_ServerReady, Wire::WithGenericMethod_ModelReady,
               Wire::WithGenericMethod_ServerMetadata, Wire::WithGenericMethod_ModelMetadata,
               Wire::WithGenericMethod_ModelConfig, Wire::WithGenericMethod_RepositoryIndex,
               Wire::WithGenericMethod_ModelInfer, Wire::WithGenericMethod_ModelStreamInfer,
               Wire::WithGenericMethod_ModelStatistics, Wire::WithGenericMethod_RepositoryModelLoad,
               Wire::WithGenericMethod_RepositoryModelUnload, Wire::WithGenericMethod_SystemSharedMemoryStatus,
               Wire::WithGenericMethod_SystemSharedMemoryRegister, Wire::WithGenericMethod_SystemSharedMemoryUnregister,
               Wire::WithGenericMethod_CudaSharedMemoryStatus, Wire::WithGenericMethod_CudaSharedMemoryRegister,
               Wire::WithGenericMethod_CudaSharedMemoryUnregister, Wire::WithGenericMethod_TraceSetting,
               Wire::WithGenericMethod_LogSettings>;
class InferenceService final : public GenericInferenceMethods {
 public:
  explicit InferenceService(const Security& security) : security_(security) {}

 private:
  grpc::Status ServerLive(grpc::ServerContext* context, const inference::ServerLiveRequest*,
                          inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return ToGrpcStatus(CheckCall(security_, *context).status());
  }

  const Security& security_;
};

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using GenericHealthMethods = grpc::health::v1::Health::WithGenericMethod_Watch<grpc::health::v1::Health::Service>;
class HealthService final : public GenericHealthMethods {
 public:
  HealthService(Health& health, const Security& security) : health_(health), security_(security) {}

 private:
  grpc::Status Check(grpc::ServerContext* context, const HealthCheckRequest* request,
                     HealthCheckResponse* response) override {
    if (absl::Status known = CheckCall(security_, *context).status(); !known.ok()) return ToGrpcStatus(known);
    response->set_status(health_.Get(request->service()));
    if (response->status() != HealthCheckResponse::SERVICE_UNKNOWN) return grpc::Status::OK;
    return ToGrpcStatus(absl::NotFoundError(absl::StrCat("no service ", ShownText(request->service()), " is known")));
  }

  Health& health_;
  const Security& security_;
};

// Reflection is a switch of the library for all servers of this process, to be set before the first is built. gRPC's
// own health service would be a callback service.
void EnablePlugins() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(false);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)enabled;
}

constexpr const char* kReadinessServices[] = {"", "readiness", "inference.GRPCInferenceService"};

// Milliseconds for a channel argument; `none` for a duration of 0.
int ArgumentMillis(Duration duration, int none) {
  if (duration == Duration::zero()) return none;
  return static_cast<int>(std::max<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(duration).count(), 1));
}

int UsableProcessors(const ServerOptions& options) {
  const size_t known = options.processors.size();
  const int processors = static_cast<int>(known > 0 ? known : std::max(std::thread::hardware_concurrency(), 1u));
  if (!options.processor_quota.has_value()) return processors;
  return std::clamp(static_cast<int>(std::ceil(*options.processor_quota)), 1, processors);
}

// Beyond `request_limit_bytes` and a half gRPC reads less, then ends calls: the last resort, after the limits of
// streams, of bytes that a stream may send unasked, and of bytes that requests hold.
void LimitMemory(grpc::ServerBuilder& builder, int64_t request_limit_bytes, int max_streams) {
  grpc::ResourceQuota quota("anybit");
  quota.Resize(static_cast<size_t>(request_limit_bytes + request_limit_bytes / 2));
  builder.SetResourceQuota(quota);
  const int64_t fitting = std::clamp<int64_t>(request_limit_bytes / 4 / kUnreadCallBytes, kMinStreams, 1 << 30);
  const int streams = max_streams != 0 ? max_streams : static_cast<int>(fitting);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, streams);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kUnreadBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // it would raise the above to the connection's bandwidth
}

void LimitConnections(grpc::ServerBuilder& builder, const ConnectionOptions& connections, Duration max_age_grace) {
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             ArgumentMillis(connections.min_ping_interval, 0));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, connections.max_metadata_bytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, ArgumentMillis(connections.keepalive_time, INT_MAX));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ArgumentMillis(connections.keepalive_timeout, INT_MAX));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, ArgumentMillis(connections.max_idle, INT_MAX));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, ArgumentMillis(connections.max_age, INT_MAX));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, ArgumentMillis(max_age_grace, 1));
}

// On one processor the thread that polls gRPC moves the front's bytes too; with more, gRPC receives calls on one of
// them while others are answered.
bool HasOneProcessor(const ServerOptions& options) {
  return ChooseCallThreads(UsableProcessors(options)).threads_per_queue == 1;
}

CallIntakeOptions IntakeOptions(const ServerOptions& options, const ServedModel& model, Front& front) {
  CallIntakeOptions intake = ChooseCallThreads(UsableProcessors(options));
  intake.read_timeout = options.connections.read_timeout;
  intake.max_message_bytes = static_cast<uint64_t>(LargestRequestBytes(model));
  intake.source = &front;
  intake.waits_in_source = HasOneProcessor(options);
  return intake;
}

FrontRules MakeFrontRules(ModelInferCalls& infer, const Security& security, const CallIntake& intake,
                          int max_metadata_bytes) {
  return {.own_methods = {"/inference.GRPCInferenceService/ServerLive", "/grpc.health.v1.Health/Check",
                          "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"},
          .lasting_methods = {std::string(Health::kWatchMethod), std::string(StreamInferCalls::kMethod)},
          .refused_method = std::string(ModelInferCalls::kMethod),
          .refuse = [&infer](Duration left, bool must) { return infer.RefuseUnread(left, must); },
          .max_metadata_bytes = static_cast<size_t>(max_metadata_bytes),
          .client_name_header = security.tls().client_authorities.empty() ? "" : kClientNameHeader,
          .calls_taken = [&intake] { return intake.calls_taken(); }};
}

FrontOptions MakeFrontOptions(const ServerOptions& options, const Security& security) {
  FrontOptions front{.has_thread = !HasOneProcessor(options),
                     .least_tls = options.security.tls.least_version,
                     .settle_timeout = options.connections.handshake_timeout};
  if (security.tls().is_on()) front.tls = [&security] { return security.tls_identity(); };
  return front;
}

absl::Status CannotServe(const absl::Status& cause) {
  return absl::Status(cause.code(), absl::StrCat("cannot serve gRPC: ", cause.message()));
}

std::vector<std::unique_ptr<grpc::Service>> MakeServices(Health& health, const Security& security) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<InferenceService>(security));
  services.push_back(std::make_unique<HealthService>(health, security));
  return services;
}

}  // namespace

absl::Status GrpcServer::CanServe(const std::string& addresses) {
  const absl::Status status = ListeningSockets::CanOpen(addresses);
  return status.ok() ? status : CannotServe(status);
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const ServerOptions& options, const Parts& parts) {
  EnablePlugins();
  std::unique_ptr<GrpcServer> server(new GrpcServer(options, parts));
  if (absl::Status status = server->Listen(options, parts); !status.ok()) return status;
  return server;
}

GrpcServer::GrpcServer(const ServerOptions& options, const Parts& parts)
    : router_{.infer = parts.infer,
              .stream = parts.stream,
              .description = parts.description,
              .repository = parts.repository,
              .feedback = {.versions = parts.versions,
                           .memory = parts.memory,
                           .largest_message_bytes = LargestRequestBytes(parts.model)},
              .health = health_,
              .observer = parts.observer,
              .security = parts.security},
      leave_limit_(std::min(kLeaveLimit, options.drain_timeout / 2)),
      front_(MakeFrontRules(parts.infer, parts.security, intake_, options.connections.max_metadata_bytes), parts.loop,
             MakeFrontOptions(options, parts.security)),
      intake_(builder_, IntakeOptions(options, parts.model, front_), parts.loop,
              [this](IncomingCall& call) { return router_.Route(call); }),
      services_(MakeServices(health_, parts.security)) {}

GrpcServer::~GrpcServer() { Stop(Duration::zero()); }

int GrpcServer::port() const {
  const auto port = std::find_if(ports_.begin(), ports_.end(), [](int one) { return one != 0; });
  return port == ports_.end() ? 0 : *port;
}

absl::Status GrpcServer::Listen(const ServerOptions& options, const Parts& parts) {
  SetReadiness(false);
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open(options.grpc_address, options.unix_socket_mode);
  if (!sockets.ok()) return CannotServe(sockets.status());
  ports_ = sockets->ports();
  front_.Listen(*std::move(sockets));  // connections wait until the server has started
  for (const auto& service : services_) builder_.RegisterService(service.get());
  if (parts.security.wants_tokens()) builder_.SetOption(std::make_unique<WithoutPlugins>());
  builder_.SetMaxReceiveMessageSize(LargestRequestBytes(parts.model));
  builder_.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);  // UnpackMessage has a limit
  LimitMemory(builder_, parts.request_limit_bytes, options.connections.max_streams);
  LimitConnections(builder_, options.connections, options.drain_timeout);
  server_ = builder_.BuildAndStart();
  if (server_ == nullptr) return absl::InternalError("cannot serve gRPC: the library does not start a server");
  front_.Start([this](int socket) { grpc::AddInsecureChannelFromFd(server_.get(), socket); });
  intake_.Start();
  return absl::OkStatus();
}

void GrpcServer::SetReadiness(bool ready) {
  health_.Set("liveness", HealthCheckResponse::SERVING);
  for (const char* service : kReadinessServices) {
    health_.Set(service, ready ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  }
}

void GrpcServer::Drain(absl::AnyInvocable<void()> gone) { front_.Leave(leave_limit_, std::move(gone)); }

void GrpcServer::WhenAllTaken(absl::AnyInvocable<void()> taken) { front_.WhenAnswered(std::move(taken)); }

void GrpcServer::Stop(Duration grace) {
  if (std::exchange(is_stopped_, true)) return;
  front_.StopAccepting();
  if (server_ != nullptr) {
    health_.Shutdown();
    // Cancels what is still open at that time; the scheduler, whose loop still runs, answers each of them.
    server_->Shutdown(std::chrono::system_clock::now() + grace);
  }
  intake_.Stop();
  server_.reset();
  front_.Finish(kLastBytes);
}

}  // namespace anybit::server
