// The gRPC side of the server: its port, its services, what connections may do, and how it ends.
//
// Its life: Start (calls come in), Drain (no new ones), Stop. ModelInferCalls answers the requests.
#ifndef ANYBIT_SERVER_GRPC_SERVER_H_
#define ANYBIT_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "scheduler/loop/event_loop.h"
#include "server/call_intake.h"
#include "server/call_router.h"
#include "server/description_methods.h"
#include "server/edge_observer.h"
#include "server/front/front.h"
#include "server/health.h"
#include "server/model_infer_calls.h"
#include "server/model_repository.h"
#include "server/options.h"
#include "server/request_memory.h"
#include "server/security/security.h"
#include "server/served_model.h"
#include "server/served_versions.h"
#include "server/stream_infer_calls.h"

namespace anybit::server {

class GrpcServer {
 public:
  // The objects that the services use. They must outlive the server.
  struct Parts {
    const ServedModel& model;  // what all versions have in common
    const DescriptionMethods& description;
    ModelRepository& repository;
    scheduler::EventLoop& loop;
    ModelInferCalls& infer;
    StreamInferCalls& stream;
    const ServedVersions& versions;
    RequestMemory& memory;
    EdgeObserver& observer;
    const Security& security;
    int64_t request_limit_bytes;  // that requests may hold
  };

  // Whether `addresses` can be listened on; the errors of base/listening_sockets.h.
  static absl::Status CanServe(const std::string& addresses);

  // Unavailable if the address cannot be bound. Health says that the server is alive and not ready.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const ServerOptions& options, const Parts& parts);

  // Stops at once, if Stop was not called.
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // The first port; 0 if all addresses are Unix sockets.
  int port() const;
  // Of each address, 0 for a Unix socket.
  const std::vector<int>& ports() const { return ports_; }

  // For grpc.health.v1.Health. "liveness" is the process; the other services are readiness.
  void SetReadiness(bool ready);

  // Tells clients by GOAWAY to send new calls elsewhere, and takes no connections any more. Calls `gone`, on some
  // thread, once no further call can come. Does not wait for that. Once.
  void Drain(absl::AnyInvocable<void()> gone);

  // After `gone`: calls `taken` once every call but those that last (streams, Health's Watch) has come to its handler,
  // on some thread. At most once.
  void WhenAllTaken(absl::AnyInvocable<void()> taken);

  // Cancels calls that are still open after `grace`. Returns when all have ended; the loop must run until then.
  void Stop(Duration grace);

 private:
  GrpcServer(const ServerOptions& options, const Parts& parts);

  absl::Status Listen(const ServerOptions& options, const Parts& parts);

  grpc::ServerBuilder builder_;
  Health health_;
  CallRouter router_;
  const Duration leave_limit_;
  Front front_;
  CallIntake intake_;
  const std::vector<std::unique_ptr<grpc::Service>> services_;
  std::vector<int> ports_;
  std::unique_ptr<grpc::Server> server_;  // its threads use all of the above
  bool is_stopped_ = false;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_GRPC_SERVER_H_
