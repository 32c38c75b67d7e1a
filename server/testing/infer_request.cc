#include "server/testing/infer_request.h"

#include <chrono>
#include <string>
#include <vector>

#include "server/testing/sum_network.h"

namespace anybit::server::testing {

using inference::ModelInferRequest;
using std::chrono::milliseconds;

ServedModel Model() {
  return {.network = SumNetwork().description(),
          .max_batch = 4,
          .sla_classes = {{.name = "default"},
                          {.name = "interactive", .objective = milliseconds(20), .accuracy_floor_bp = 8500}},
          .tenants = {{.name = "default"}, {.name = "careful", .share = 3, .accuracy_floor_bp = 9200}}};
}

ModelInferRequest InferRequest(int rows) {
  ModelInferRequest request;
  request.set_model_name("sums");
  auto& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype("UINT8");
  for (int64_t d : {rows, 2, 2, 1}) input.add_shape(d);
  request.add_raw_input_contents(std::string(rows * 4, '\x07'));
  return request;
}

ModelInferRequest TypedRequest(const std::vector<uint32_t>& codes) {
  ModelInferRequest request = InferRequest();
  request.clear_raw_input_contents();
  for (uint32_t code : codes) request.mutable_inputs(0)->mutable_contents()->add_uint_contents(code);
  return request;
}

ModelInferRequest WithInt64(const char* name, int64_t value) {
  ModelInferRequest request = InferRequest();
  (*request.mutable_parameters())[name].set_int64_param(value);
  return request;
}

ModelInferRequest WithString(const char* name, const std::string& value) {
  ModelInferRequest request = InferRequest();
  (*request.mutable_parameters())[name].set_string_param(value);
  return request;
}

}  // namespace anybit::server::testing
