// absl::Status as gRPC sends it.
#ifndef ANYBIT_SERVER_GRPC_STATUS_H_
#define ANYBIT_SERVER_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <chrono>

#include "absl/status/status.h"

namespace anybit::server {

grpc::Status ToGrpcStatus(const absl::Status& status);

// The same with the detail google.rpc.RetryInfo, which gRPC sends as grpc-status-details-bin. `status` is not OK.
grpc::Status ToGrpcStatus(const absl::Status& status, std::chrono::milliseconds retry_after);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_GRPC_STATUS_H_
