// A ModelInferRequest as the scheduler and the network want it: a pure function.
//
// Everything a client can get wrong is found here, before anything is queued. Texts from clients appear in messages
// escaped and cut, so that a message always fits into a header.
#ifndef ANYBIT_SERVER_TRANSLATE_REQUEST_H_
#define ANYBIT_SERVER_TRANSLATE_REQUEST_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"
#include "server/input_tensor.h"
#include "server/request_terms.h"
#include "server/served_model.h"

namespace anybit::server {

// The contents of a valid ModelInferRequest.
struct InferCall {
  RequestTerms terms;
  InputTensor input;
  int top_classes = 0;  // of the output, as text; 0: all logits, as FP32
};

// `model` is the version that the request's name and version stand for (ServedVersions::Choose). InvalidArgument,
// naming value and limit. Takes the tensor out of `request`.
absl::StatusOr<InferCall> TranslateRequest(inference::ModelInferRequest& request, const ServedModel& model);

// Bytes in the largest request for names, parameters and what other clients send along.
inline constexpr int64_t kRoomBesideTensors = 256 * 1024;

// The largest ModelInferRequest that can be valid, in bytes.
int LargestRequestBytes(const ServedModel& model);

// The largest one whose tensor is in raw_input_contents, as nearly all clients send it.
int64_t LargestRawRequestBytes(const ServedModel& model);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_TRANSLATE_REQUEST_H_
