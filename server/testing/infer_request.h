// A served model over the network of sums, and requests for it.
#ifndef ANYBIT_SERVER_TESTING_INFER_REQUEST_H_
#define ANYBIT_SERVER_TESTING_INFER_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "proto/inference.pb.h"
#include "server/served_model.h"

namespace anybit::server::testing {

// At most 4 rows. The classes "default" and "interactive" (20 ms, floor of 85 %), the tenants "default" and "careful"
// (share 3, floor of 92 %).
ServedModel Model();

// A valid request; every code is 7.
inference::ModelInferRequest InferRequest(int rows = 1);

// InferRequest() with typed contents.
inference::ModelInferRequest TypedRequest(const std::vector<uint32_t>& codes);

// InferRequest() with a parameter.
inference::ModelInferRequest WithInt64(const char* name, int64_t value);
inference::ModelInferRequest WithString(const char* name, const std::string& value);

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_TESTING_INFER_REQUEST_H_
