// One plain HTTP/2 connection that carries unary gRPC calls of one method, each with the same message.
//
// It exists to be cheap: a call costs a few microseconds, where gRPC's own client costs tens. It never blocks after
// Connect and never retries. One thread uses it:
//
//   while (...) {
//     connection->Start(call, timeout);
//     connection->Write();                          // what is pending, as far as the socket takes it
//     ... wait until fd() is readable, or writable if wants_write() ...
//     connection->Read();                           // runs `on_end` for each call that ended
//   }
#ifndef ANYBIT_TESTS_LOAD_HTTP2_CONNECTION_H_
#define ANYBIT_TESTS_LOAD_HTTP2_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit::load {

struct GrpcMethod {
  std::string path;     // such as /inference.GRPCInferenceService/ServerLive
  std::string message;  // serialised
};

// How a call ended. The views are valid during the callback.
struct CallEnd {
  size_t call = 0;
  int grpc_status = -1;           // -1: the stream ended without one
  uint32_t http2_error = 0;       // that the stream was closed with
  std::string_view grpc_message;  // percent-encoded, as it was sent
  std::string_view answer;        // the serialised message, if the call was started with keep_answer
};

class Http2Connection {
 public:
  class Stream;
  using OnEnd = std::function<void(const CallEnd&)>;

  // Connects to "host:port" and returns when the server has sent its settings.
  static absl::StatusOr<std::unique_ptr<Http2Connection>> Connect(const std::string& address, const GrpcMethod& method,
                                                                  OnEnd on_end);
  ~Http2Connection();

  // Whether another call may start: the server allows another stream and has taken most of what was sent.
  bool CanStart() const;

  // Starts a call; `timeout` is its grpc-timeout. The stream lives until on_end runs for `call`, or until Cancel.
  Stream* Start(size_t call, std::optional<std::chrono::microseconds> timeout, bool keep_answer);

  // Resets the stream with CANCEL; on_end does not run for it.
  void Cancel(Stream* stream);

  // Takes what has arrived. Unavailable once the server closes the connection; on_end does not run for the calls that
  // were under way.
  absl::Status Read();

  // Sends what is pending; what the socket does not take stays pending.
  absl::Status Write();

  bool wants_write() const { return sent_ < output_.size(); }
  int fd() const { return fd_; }

 private:
  struct Callbacks;

  Http2Connection(const GrpcMethod& method, OnEnd on_end, std::string authority);
  absl::Status AwaitSettings();
  void End(Stream* stream, uint32_t http2_error);

  const std::string message_;  // with gRPC's prefix
  const OnEnd on_end_;
  const std::string path_;
  const std::string authority_;
  int fd_ = -1;
  nghttp2_session* session_ = nullptr;
  bool has_settings_ = false;
  bool is_going_away_ = false;
  size_t open_streams_ = 0;
  std::string output_;
  size_t sent_ = 0;  // of output_
  std::vector<uint8_t> input_;
  std::string grpc_message_;  // the last one that arrived
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<Stream*> unused_streams_;
};

}  // namespace anybit::load

#endif  // ANYBIT_TESTS_LOAD_HTTP2_CONNECTION_H_
