// The one input of a request: its name, type and shape checked, its contents as bytes.
#ifndef ANYBIT_SERVER_INPUT_TENSOR_H_
#define ANYBIT_SERVER_INPUT_TENSOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/inference.pb.h"
#include "server/served_model.h"

namespace anybit::server {

struct InputTensor {
  int rows = 1;       // 1..max_batch
  std::string bytes;  // rows x input elements, a code each
};

// InvalidArgument, naming value and limit, unless the request has the model's input and nothing else. Contents may be
// raw or typed; raw ones are taken out of `request`. Floats, of a model that takes them, become codes here.
absl::StatusOr<InputTensor> ReadInput(inference::ModelInferRequest& request, const ServedModel& model);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_INPUT_TENSOR_H_
