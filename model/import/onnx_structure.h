// The size of an ONNX file without the values of its tensors, before it is parsed.
//
// A message of two bytes becomes an object of some hundred, so a file of many empty messages would take a hundred times
// its size. Values are not counted: they stay as large as they are.
#ifndef ANYBIT_MODEL_IMPORT_ONNX_STRUCTURE_H_
#define ANYBIT_MODEL_IMPORT_ONNX_STRUCTURE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace anybit::model {

// Real networks have less than a tenth. What a hundred times of it takes in memory bounds the harm of a hostile file.
inline constexpr int64_t kMaxStructureBytes = int64_t{16} << 20;

// InvalidArgument, naming the limit, where `text`, the file of an ONNX model, has more bytes than that outside the
// values of its initializers.
absl::Status CheckOnnxStructure(absl::string_view text);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_ONNX_STRUCTURE_H_
