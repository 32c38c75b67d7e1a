// Between the wire and the scheduler, as pure functions: what a request asks for, what an outcome answers.
//
// Everything a client can get wrong is found here, before anything is queued. Texts from clients appear in messages
// escaped and cut, so that a message always fits into a header.
#ifndef ANYBIT_SERVER_TRANSLATE_H_
#define ANYBIT_SERVER_TRANSLATE_H_

#include <grpcpp/support/status.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"
#include "scheduler/request.h"
#include "server/inference_payload.h"
#include "server/served_model.h"

namespace anybit::server {

inline constexpr absl::string_view kPlatform = "anybit_adaptive_network";

// The contents of a valid ModelInferRequest.
struct InferCall {
  Duration time_limit = Duration::max();  // from arrival: the least of `timeout`, `slo_us` and the class's objective
  scheduler::PointSet allowed;            // not empty
  scheduler::SlaClassId sla_class{};
  scheduler::TenantId tenant{};
  int rows = 1;                // 1..max_batch
  std::vector<uint8_t> input;  // rows x input elements
  int top_classes = 0;         // of the output, as text; 0: all logits, as FP32
};

// NotFound unless `name` and `version` ("" for the newest) are the model's; InvalidArgument if the version is no
// number.
absl::Status CheckModel(absl::string_view name, absl::string_view version, const model::NetworkDescription& network);

// InvalidArgument or NotFound, naming value and limit.
absl::StatusOr<InferCall> TranslateRequest(const inference::ModelInferRequest& request, const ServedModel& model);

// The answer to `call`, which `outcome` served.
inference::ModelInferResponse TranslateOutcome(const scheduler::Outcome& outcome, const std::string& request_id,
                                               const InferCall& call, const ServedModel& model);

inference::ModelMetadataResponse DescribeModel(const ServedModel& model);
inference::ModelConfig ConfigureModel(const ServedModel& model);

// The largest ModelInferRequest that can be valid, in bytes.
int LargestRequestBytes(const ServedModel& model);

// The largest one whose tensor is in raw_input_contents, as nearly all clients send it.
int64_t LargestRawRequestBytes(const ServedModel& model);

// A client's text as it may stand in a message: quoted, escaped and cut.
std::string ShownText(absl::string_view text);

grpc::Status ToGrpcStatus(const absl::Status& status);

// The same with the detail google.rpc.RetryInfo, which gRPC sends as grpc-status-details-bin. `status` is not OK.
grpc::Status ToGrpcStatus(const absl::Status& status, std::chrono::milliseconds retry_after);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_TRANSLATE_H_
