#include "server/feedback/feedback_call.h"

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "proto/feedback.grpc.pb.h"  // with gRPC's serialization of its messages
#include "server/feedback/feedback.h"
#include "server/grpc_status.h"
#include "server/parse_message.h"

namespace anybit::server {
namespace {

// What a message may take when it is parsed: an empty answer has 2 bytes on the wire and takes 72.
constexpr int64_t kMessageMemoryFactor = 40;

}  // namespace

bool FeedbackCall::Hold(int64_t bytes) {
  if (share_.Resize(bytes)) return true;
  call_.Finish(ToGrpcStatus(LimitReached(parts_.memory, bytes)));
  return false;
}

void FeedbackCall::OnTaken() {
  if (Hold(parts_.largest_message_bytes)) call_.Read(&request_);
}

void FeedbackCall::OnRead() {
  if (!Hold(static_cast<int64_t>(request_.Length()) * kMessageMemoryFactor)) return;
  anybit::v1::ReportRequest report;
  absl::Status status = ParseMessage(request_, report);
  request_.Clear();
  if (status.ok()) status = TakeFeedback(parts_.versions, report);
  if (!status.ok()) return call_.Finish(ToGrpcStatus(status));
  bool own_buffer;
  (void)grpc::SerializationTraits<anybit::v1::ReportResponse>::Serialize(anybit::v1::ReportResponse(), &response_,
                                                                         &own_buffer);
  call_.WriteAndFinish(response_, grpc::Status::OK);
}

}  // namespace anybit::server
