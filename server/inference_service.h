// The gRPC edge: the wire's service over the scheduler. It validates and translates; it decides nothing.
//
// Calls this server does not offer answer UNIMPLEMENTED, which is the generated class's own default.
#ifndef ANYBIT_SERVER_INFERENCE_SERVICE_H_
#define ANYBIT_SERVER_INFERENCE_SERVICE_H_

#include <atomic>

#include "absl/strings/string_view.h"
#include "metrics/edge_observer.h"
#include "proto/inference.grpc.pb.h"
#include "scheduler/event_loop.h"
#include "scheduler/scheduler.h"
#include "server/served_model.h"

namespace anybit {

inline constexpr absl::string_view kServerName = "anybit";
inline constexpr absl::string_view kServerVersion = "0.1.0";

enum class ServingState {
  kStarting,   // requests are refused
  kReady,
  kLeaving,    // not ready any more; what still comes goes to the scheduler, which refuses it once it drains
};

class InferenceService final : public inference::GRPCInferenceService::CallbackService {
 public:
  // All must outlive the service; the loop must run until the last call has ended. Starts as kStarting.
  InferenceService(const ServedModel& model, Scheduler& scheduler, const EventLoop& loop, EdgeObserver& observer)
      : model_(model), scheduler_(scheduler), loop_(loop), observer_(observer) {}

  void SetState(ServingState state) { state_ = state; }
  ServingState state() const { return state_; }

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* request,
                                       inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest* request,
                                        inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest* request,
                                           inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelConfig(grpc::CallbackServerContext* context,
                                        const inference::ModelConfigRequest* request,
                                        inference::ModelConfigResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryIndex(grpc::CallbackServerContext* context,
                                            const inference::RepositoryIndexRequest* request,
                                            inference::RepositoryIndexResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override;

 private:
  const ServedModel& model_;
  Scheduler& scheduler_;
  const EventLoop& loop_;
  EdgeObserver& observer_;
  std::atomic<ServingState> state_ = ServingState::kStarting;   // whoever starts and stops the server; gRPC threads
};

}  // namespace anybit

#endif  // ANYBIT_SERVER_INFERENCE_SERVICE_H_
