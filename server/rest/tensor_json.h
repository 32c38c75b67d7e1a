// The elements of one tensor as JSON, and as the protocol's raw contents: little-endian, row-major, without padding;
// an element of BYTES is its length in 32 bits and its bytes.
#ifndef ANYBIT_SERVER_REST_TENSOR_JSON_H_
#define ANYBIT_SERVER_REST_TENSOR_JSON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/json.h"

namespace anybit::server {

// The raw contents of `data`, an array of elements or of such arrays, row by row. InvalidArgument, naming the element
// and what its datatype demands, for one of another kind or range; for FP16, BF16 and unknown datatypes.
absl::StatusOr<std::string> RawFromJson(const Json& data, absl::string_view datatype);

// Appends the elements of raw contents as one flat array. Numbers are the shortest that read back as the same value;
// those that are not finite become null. InvalidArgument for FP16, BF16, unknown datatypes, and contents that end
// within an element.
absl::Status AppendJsonArray(absl::string_view raw, absl::string_view datatype, std::string& json);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REST_TENSOR_JSON_H_
