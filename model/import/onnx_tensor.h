// The values of a tensor in an ONNX file, with every size checked before memory is taken.
#ifndef ANYBIT_MODEL_IMPORT_ONNX_TENSOR_H_
#define ANYBIT_MODEL_IMPORT_ONNX_TENSOR_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "model/import/float_graph.h"

namespace anybit::model {

// Elements of one tensor: 1 GiB of floats. The largest layers of image networks have a tenth of that.
inline constexpr int64_t kMaxTensorElements = int64_t{1} << 28;

// The values of `tensor`. Data outside the file are read from `folder`, the model's own; empty: there is none.
// InvalidArgument, naming the tensor,
// - where the shape is negative or has more than kMaxTensorElements elements;
// - where the file has not exactly as many values as the shape;
// - for an element type that is neither a float nor a whole number;
// - for external data that lie outside the folder, or not wholly inside their file.
absl::StatusOr<Constant> ReadTensor(const onnx::TensorProto& tensor, const std::string& folder);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_ONNX_TENSOR_H_
