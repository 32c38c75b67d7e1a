// anybit.v1.Feedback/Report over gRPC.
#ifndef ANYBIT_SERVER_FEEDBACK_FEEDBACK_CALL_H_
#define ANYBIT_SERVER_FEEDBACK_FEEDBACK_CALL_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>

#include "absl/strings/string_view.h"
#include "server/call_intake.h"
#include "server/request_memory.h"
#include "server/served_versions.h"

namespace anybit::server {

// All outlive the calls.
struct FeedbackParts {
  const ServedVersions& versions;
  RequestMemory& memory;
  int64_t largest_message_bytes;  // that gRPC receives
};

// A call whose message may take much more memory than bytes: it holds request memory, as inference does.
class FeedbackCall final : public CallHandler {
 public:
  static constexpr absl::string_view kMethod = "/anybit.v1.Feedback/Report";

  FeedbackCall(IncomingCall& call, const FeedbackParts& parts) : call_(call), parts_(parts), share_(parts.memory) {}

  void OnTaken() override;
  void OnRead() override;

 private:
  // False, and the call ends, if there is no memory.
  bool Hold(int64_t bytes);

  IncomingCall& call_;
  const FeedbackParts& parts_;
  RequestMemory::Share share_;
  grpc::ByteBuffer request_, response_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FEEDBACK_FEEDBACK_CALL_H_
