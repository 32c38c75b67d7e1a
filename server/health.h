// gRPC's health checking protocol, grpc.health.v1.Health.
//
// gRPC's own implementation is a callback service, whose threads would read from all connections (CallIntake). Check is
// a blocking method of a service; Watch, which lasts, is a call of the intake.
#ifndef ANYBIT_SERVER_HEALTH_H_
#define ANYBIT_SERVER_HEALTH_H_

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "proto/health.pb.h"
#include "server/call_intake.h"

namespace anybit::server {

// Any thread. Outlives its calls.
class Health {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // Sets what Check answers for `service`, and tells those that watch it.
  void Set(const std::string& service, Status status);

  // SERVICE_UNKNOWN where nothing was set.
  Status Get(const std::string& service);

  // NOT_SERVING for every service, and the end of every Watch; for a server that stops.
  void Shutdown();

  static constexpr absl::string_view kWatchMethod = "/grpc.health.v1.Health/Watch";
  std::unique_ptr<CallHandler> Watch(IncomingCall& call);

 private:
  class WatchCall;

  Status GetLocked(const std::string& service) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Does what is next for a call that watches.
  void Continue(WatchCall& watch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  std::map<std::string, Status> statuses_ ABSL_GUARDED_BY(mutex_);
  std::set<WatchCall*> watches_ ABSL_GUARDED_BY(mutex_);
  bool is_shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_HEALTH_H_
