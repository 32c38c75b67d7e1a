// The gRPC edge: the wire's service over the scheduler. It validates and translates; it decides nothing.
//
// ModelInfer and every method that is not offered come through the generic service. There a message is read only when
// we ask for it: flow control holds what there is no memory for, and a call is refused before its message is read.
#ifndef ANYBIT_SERVER_INFERENCE_SERVICE_H_
#define ANYBIT_SERVER_INFERENCE_SERVICE_H_

#include <grpcpp/generic/async_generic_service.h>

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "metrics/edge_observer.h"
#include "proto/inference.grpc.pb.h"
#include "scheduler/event_loop.h"
#include "scheduler/scheduler.h"
#include "server/request_memory.h"
#include "server/served_model.h"

namespace anybit {

inline constexpr absl::string_view kServerName = "anybit";

enum class ServingState {
  kStarting,  // requests are refused
  kReady,
  kLeaving,  // no longer ready; what still comes goes to the scheduler, which refuses it once it drains
};

// Base with each of Methods, class templates that gRPC generates, around it.
template <typename Base, template <typename> typename... Methods>
struct WithMethods {
  using Type = Base;
};
template <typename Base, template <typename> typename First, template <typename> typename... Rest>
struct WithMethods<Base, First, Rest...> {
  using Type = First<typename WithMethods<Base, Rest...>::Type>;
};

namespace internal {
using Wire = inference::GRPCInferenceService;
using OfferedMethods =
    WithMethods<Wire::Service, Wire::WithCallbackMethod_ServerLive, Wire::WithCallbackMethod_ServerReady,
                Wire::WithCallbackMethod_ModelReady, Wire::WithCallbackMethod_ServerMetadata,
                Wire::WithCallbackMethod_ModelMetadata, Wire::WithCallbackMethod_ModelConfig,
                Wire::WithCallbackMethod_RepositoryIndex, Wire::WithGenericMethod_ModelInfer,
                Wire::WithGenericMethod_ModelStreamInfer, Wire::WithGenericMethod_ModelStatistics,
                Wire::WithGenericMethod_RepositoryModelLoad, Wire::WithGenericMethod_RepositoryModelUnload,
                Wire::WithGenericMethod_SystemSharedMemoryStatus, Wire::WithGenericMethod_SystemSharedMemoryRegister,
                Wire::WithGenericMethod_SystemSharedMemoryUnregister, Wire::WithGenericMethod_CudaSharedMemoryStatus,
                Wire::WithGenericMethod_CudaSharedMemoryRegister, Wire::WithGenericMethod_CudaSharedMemoryUnregister,
                Wire::WithGenericMethod_TraceSetting, Wire::WithGenericMethod_LogSettings>::Type;
}  // namespace internal

// Registered twice with a server: as its service and as its generic service.
class InferenceService final : public internal::OfferedMethods, public grpc::CallbackGenericService {
 public:
  // All must outlive the service; the loop must run until the last call has ended. Starts as kStarting.
  InferenceService(const ServedModel& model, Scheduler& scheduler, const EventLoop& loop, RequestMemory& memory,
                   EdgeObserver& observer)
      : model_(model), scheduler_(scheduler), loop_(loop), memory_(memory), observer_(observer) {}

  // What the largest request of `model` takes of the memory for requests, from its reading to its answer.
  static int64_t LargestCallBytes(const ServedModel& model);

  void SetState(ServingState state) { state_ = state; }
  ServingState state() const { return state_; }

  // Calls `idle` once no ModelInfer is open, on some thread; at once if none is. For when no more can come; at most
  // once.
  void WhenIdle(absl::AnyInvocable<void()> idle);

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
  // ModelInfer, and a refusal for every other method.
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

 private:
  class InferReactor;

  void CallBegins();
  void CallEnded();

  const ServedModel& model_;
  Scheduler& scheduler_;
  const EventLoop& loop_;
  RequestMemory& memory_;
  EdgeObserver& observer_;
  std::atomic<uint32_t> refusals_ = 0;                         // gRPC threads
  std::atomic<ServingState> state_ = ServingState::kStarting;  // whoever starts and stops the server; gRPC threads

  absl::Mutex mutex_;
  int open_calls_ ABSL_GUARDED_BY(mutex_) = 0;  // of ModelInfer
  absl::AnyInvocable<void()> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace anybit

#endif  // ANYBIT_SERVER_INFERENCE_SERVICE_H_
