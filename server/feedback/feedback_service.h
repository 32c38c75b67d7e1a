// anybit.v1.Feedback over gRPC. Its calls are short, and gRPC's own threads serve them.
#ifndef ANYBIT_SERVER_FEEDBACK_FEEDBACK_SERVICE_H_
#define ANYBIT_SERVER_FEEDBACK_FEEDBACK_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "proto/feedback.grpc.pb.h"
#include "server/feedback/feedback.h"
#include "server/grpc_status.h"
#include "server/security/grpc_credentials.h"
#include "server/security/security.h"
#include "server/served_versions.h"

namespace anybit::server {

class FeedbackService final : public anybit::v1::Feedback::Service {
 public:
  static constexpr char kMethod[] = "/anybit.v1.Feedback/Report";

  // Both outlive it.
  FeedbackService(const ServedVersions& versions, const Security& security)
      : versions_(versions), security_(security) {}

 private:
  grpc::Status Report(grpc::ServerContext* context, const anybit::v1::ReportRequest* request,
                      anybit::v1::ReportResponse*) override {
    absl::Status status = CheckCall(security_, *context).status();
    if (status.ok()) status = TakeFeedback(versions_, *request);
    return ToGrpcStatus(status);
  }

  const ServedVersions& versions_;
  const Security& security_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FEEDBACK_FEEDBACK_SERVICE_H_
