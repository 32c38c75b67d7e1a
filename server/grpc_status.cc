#include "server/grpc_status.h"

#include <chrono>
#include <cstdint>
#include <string>

#include "proto/rpc_status.pb.h"

namespace anybit::server {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  // The two enumerations agree number by number.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

grpc::Status ToGrpcStatus(const absl::Status& status, std::chrono::milliseconds retry_after) {
  google::rpc::RetryInfo retry;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(retry_after);
  retry.mutable_retry_delay()->set_seconds(seconds.count());
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(std::chrono::nanoseconds(retry_after - seconds).count()));
  google::rpc::Status detailed;
  detailed.set_code(static_cast<int>(status.code()));
  detailed.set_message(std::string(status.message()));
  detailed.add_details()->PackFrom(retry);
  const grpc::Status plain = ToGrpcStatus(status);
  return grpc::Status(plain.error_code(), plain.error_message(), detailed.SerializeAsString());
}

}  // namespace anybit::server
