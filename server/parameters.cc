#include "server/parameters.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

using inference::InferParameter;

absl::StatusOr<std::optional<int64_t>> Int64Parameter(const Parameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::optional<int64_t>();
  if (!found->second.has_int64_param()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value type for '", name, "' parameter, expected int64_param."));
  }
  return std::optional<int64_t>(found->second.int64_param());
}

absl::Status WrongType(absl::string_view name, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("invalid value type for ", ShownText(name), " parameter, expected ", expected, "."));
}

absl::Status CheckForeignParameter(const std::string& name, const InferParameter& value) {
  if (name == "priority") {
    if (value.has_uint64_param()) return absl::OkStatus();
    if (!value.has_int64_param()) return WrongType(name, "int64_param or uint64_param");
    if (value.int64_param() < 0) {
      return absl::InvalidArgumentError("invalid value for 'priority', expected value >= 0.");
    }
    return absl::OkStatus();
  }
  if (name == "sequence_id") {
    return value.has_int64_param() || value.has_string_param() ? absl::OkStatus()
                                                               : WrongType(name, "int64_param or string_param");
  }
  if (name == "sequence_start" || name == "sequence_end" || name == "triton_enable_empty_final_response") {
    return value.has_bool_param() ? absl::OkStatus() : WrongType(name, "bool_param");
  }
  if (name.rfind("triton_", 0) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter keys starting with 'triton_' are reserved. Only the following keys starting with "
                     "'triton_' are allowed: triton_enable_empty_final_response. Got ",
                     ShownText(name)));
  }
  if (value.has_uint64_param() || value.parameter_choice_case() == InferParameter::PARAMETER_CHOICE_NOT_SET) {
    return WrongType(name, "int64_param, bool_param, string_param or double_param");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<std::string>> StringParameter(const Parameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::optional<std::string>();
  if (!found->second.has_string_param()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value type for '", name, "' parameter, expected string_param."));
  }
  return std::optional<std::string>(found->second.string_param());
}

absl::StatusOr<std::optional<int64_t>> BoundedParameter(const Parameters& parameters, const char* name, int64_t low,
                                                        int64_t high) {
  auto value = Int64Parameter(parameters, name);
  if (!value.ok() || !value->has_value() || (**value >= low && **value <= high)) return value;
  return absl::InvalidArgumentError(
      high == std::numeric_limits<int64_t>::max()
          ? absl::StrCat("invalid value for '", name, "': ", **value, ", expected value >= ", low, ".")
          : absl::StrCat("invalid value for '", name, "': ", **value, ", expected ", low, " to ", high, "."));
}

absl::Status CheckForeignParameters(const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    if (absl::Status status = CheckForeignParameter(name, value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status RefuseSharedMemory(const Parameters& parameters, absl::string_view tensor) {
  for (const char* name : {"shared_memory_region", "shared_memory_byte_size", "shared_memory_offset"}) {
    if (parameters.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", name, "' of tensor ", ShownText(tensor), ": this server has no shared memory"));
    }
  }
  return absl::OkStatus();
}

}  // namespace anybit::server
