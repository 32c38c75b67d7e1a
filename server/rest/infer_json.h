// Bodies of POST /v2/models/M/infer: JSON, with tensors in it or behind it (the extension "binary tensor data").
//
// A body's first `json_bytes` are JSON; the tensors of inputs with the parameter `binary_data_size` follow, in the
// order of the inputs, as in raw_input_contents. The answer likewise: an output is binary if it asks for `binary_data`,
// or, if it does not say, if the request asks for `binary_data_output`.
//
//   absl::StatusOr<RestRequest> call = ReadInferRequest(body, std::nullopt);
//   ...
//   RestBody answer = WriteInferResponse(response, call->forms);   // answer.json + answer.tensors
//
// Everything becomes raw contents of the protocol's messages, so that one validation serves gRPC and REST.
#ifndef ANYBIT_SERVER_REST_INFER_JSON_H_
#define ANYBIT_SERVER_REST_INFER_JSON_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"

namespace anybit::server {

// Which outputs of an answer stand behind the JSON.
struct OutputForms {
  bool binary = false;  // of outputs that are not named here
  std::map<std::string, bool> by_output;

  bool IsBinary(const std::string& output) const {
    const auto found = by_output.find(output);
    return found == by_output.end() ? binary : found->second;
  }
};

struct RestRequest {
  inference::ModelInferRequest request;  // without the model's name, which stands in the path
  OutputForms forms;
};

struct RestBody {
  std::string json;
  std::string tensors;  // to follow it; "" if no output is binary
};

// Memory that reading a body takes, as a multiple of its size: a number of two bytes, comma included, becomes a JSON
// value of 16 bytes in an array that doubles as it grows.
inline constexpr int kJsonMemoryFactor = 16;

// `json_bytes` is the header Inference-Header-Content-Length; absent, the body is all JSON. InvalidArgument, naming
// value and limit, for anything else than a request, an element outside of its datatype, FP16 and BF16 in JSON, sizes
// that do not add up.
// `check` is given the request without the contents of its inputs, before those are converted or copied; its error is
// returned.
using RestCheck = absl::FunctionRef<absl::Status(const inference::ModelInferRequest&)>;
inline absl::Status NoCheck(const inference::ModelInferRequest&) { return absl::OkStatus(); }
absl::StatusOr<RestRequest> ReadInferRequest(absl::string_view body, std::optional<size_t> json_bytes,
                                             RestCheck check = NoCheck);

// Numbers are the shortest that read back as the same value; those that are not finite become null, for which JSON has
// no number. `response` has raw contents for each output.
RestBody WriteInferResponse(const inference::ModelInferResponse& response, const OutputForms& forms);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REST_INFER_JSON_H_
