// http2-resets: opens calls of ModelInfer on one connection and cancels each at once, as fast as the server reads them.
//
// usage: http2-resets HOST:PORT CALLS
//
// A cancelled call does not count as one of the streams that a connection may have, so that limit holds nothing back.
#include <poll.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "tests/load/http2_connection.h"

namespace anybit::load {
namespace {

absl::Status Reset(const std::string& address, int64_t calls) {
  // The message is never parsed.
  const GrpcMethod method = {.path = "/inference.GRPCInferenceService/ModelInfer", .message = std::string(800, 'x')};
  absl::StatusOr<std::unique_ptr<Http2Connection>> connection =
      Http2Connection::Connect(address, method, [](const CallEnd&) {});
  if (!connection.ok()) return connection.status();
  Http2Connection& server = **connection;
  for (int64_t started = 0; started < calls || server.wants_write();) {
    absl::Status status;
    if (started < calls && server.CanStart()) {
      Http2Connection::Stream* stream =
          server.Start(static_cast<size_t>(started++), std::nullopt, /*keep_answer=*/false);
      status.Update(server.Write());  // otherwise neither call nor cancellation would be sent
      server.Cancel(stream);
    } else {
      pollfd ready = {.fd = server.fd(), .events = static_cast<int16_t>(POLLIN | (server.wants_write() ? POLLOUT : 0))};
      (void)poll(&ready, 1, /*timeout=*/-1);
    }
    status.Update(server.Read());
    status.Update(server.Write());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace anybit::load

int main(int argc, char** argv) {
  int64_t calls = 0;
  if (argc != 3 || !absl::SimpleAtoi(argv[2], &calls)) {
    std::cerr << "usage: http2-resets HOST:PORT CALLS\n";
    return 2;
  }
  const absl::Status status = anybit::load::Reset(argv[1], calls);
  if (status.ok()) return 0;
  std::cerr << "http2-resets: " << status << "\n";
  return 1;
}
