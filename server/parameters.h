// Typed access to the parameters of a request, an input or an output.
//
// Errors are InvalidArgument and name the parameter, its value and the limit, in the words of Triton where it has any.
#ifndef ANYBIT_SERVER_PARAMETERS_H_
#define ANYBIT_SERVER_PARAMETERS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"

namespace anybit::server {

using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;

// A parameter's value, or none if it is absent. An error if it has another type.
absl::StatusOr<std::optional<std::string>> StringParameter(const Parameters& parameters, const char* name);

// Likewise; an error if it is not from `low` to `high`.
absl::StatusOr<std::optional<int64_t>> BoundedParameter(const Parameters& parameters, const char* name, int64_t low,
                                                        int64_t high);

// The header, of gRPC and HTTP alike, that tells a request's place in a trace (W3C's Trace Context).
inline constexpr char kTraceParentHeader[] = "traceparent";

// Parameters that other servers give a meaning and this one does not are accepted, so that no client breaks. An error
// if one has a wrong type or a reserved name.
absl::Status CheckForeignParameters(const Parameters& parameters);

// An error if they place the tensor of this name in shared memory.
absl::Status RefuseSharedMemory(const Parameters& parameters, absl::string_view tensor);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PARAMETERS_H_
