// Values of an ONNX tensor that lie in a file beside the model.
#ifndef ANYBIT_MODEL_IMPORT_EXTERNAL_DATA_H_
#define ANYBIT_MODEL_IMPORT_EXTERNAL_DATA_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace anybit::model {

// `length` bytes from `offset` of the file `location`, a path below `folder`. InvalidArgument, naming path and limit,
// for a path that is absolute or leaves the folder (by ".." or a link), for something else than a file, and for bytes
// beyond the file's end. Nothing outside the folder is opened.
absl::StatusOr<std::string> ReadExternalData(const std::string& folder, const std::string& location, int64_t offset,
                                             int64_t length);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_EXTERNAL_DATA_H_
