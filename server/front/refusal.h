// A refused call's answer, as the one frame that it takes.
#ifndef ANYBIT_SERVER_FRONT_REFUSAL_H_
#define ANYBIT_SERVER_FRONT_REFUSAL_H_

#include <grpcpp/support/status.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/time.h"

namespace anybit::server {

// The header block by which gRPC's servers end a call without a message. It can stand anywhere in a connection.
// `retry_after` is sent as grpc-retry-pushback-ms.
std::string RefusalBlock(const grpc::Status& status, std::optional<std::chrono::milliseconds> retry_after);

// A value of grpc-timeout, such as "50m"; none if it is not one.
std::optional<Duration> ParseGrpcTimeout(absl::string_view text);
// Rounded down to what fits into the eight digits that gRPC allows; `left` is at least a microsecond.
std::string FormatGrpcTimeout(Duration left);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_REFUSAL_H_
