#include "server/input_tensor.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "model/format/float_input.h"
#include "server/parameters.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

using inference::InferTensorContents;
using inference::ModelInferRequest;

std::string ShapeText(const google::protobuf::RepeatedField<int64_t>& shape) {
  constexpr int kMaxShown = 8;
  const int shown = std::min(shape.size(), kMaxShown);
  return absl::StrCat("[", absl::StrJoin(shape.begin(), shape.begin() + shown, ","), shown < shape.size() ? ",..." : "",
                      "]");
}

// The datatypes of the first field that holds elements, other than the one for FP32 or UINT8; empty if there is none.
absl::string_view ForeignContents(const InferTensorContents& contents, bool floats) {
  if (contents.bool_contents_size() > 0) return "BOOL";
  if (contents.int_contents_size() > 0) return "INT8, INT16 or INT32";
  if (contents.int64_contents_size() > 0) return "INT64";
  if (floats && contents.uint_contents_size() > 0) return "UINT8, UINT16 or UINT32";
  if (contents.uint64_contents_size() > 0) return "UINT64";
  if (!floats && contents.fp32_contents_size() > 0) return "FP32";
  if (contents.fp64_contents_size() > 0) return "FP64";
  if (contents.bytes_contents_size() > 0) return "BYTES";
  return "";
}

// What a request's input must be, by its datatype.
struct ExpectedInput {
  absl::string_view datatype;         // UINT8 or FP32
  const std::vector<int64_t>& shape;  // of one row
  int64_t element_bytes = 1;
};

bool IsFloats(const ExpectedInput& expected) { return expected.element_bytes == sizeof(float); }

absl::StatusOr<int> CheckShape(const ModelInferRequest::InferInputTensor& input, const std::vector<int64_t>& row,
                               const ServedModel& model) {
  const auto& shape = input.shape();
  const bool fits = shape.size() == static_cast<int>(row.size()) + 1 && shape[0] >= 1 &&
                    std::equal(row.begin(), row.end(), shape.begin() + 1);
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected shape for input ", ShownText(input.name()),
                                                   " for model '", model.network.name, "'. Expected [-1,",
                                                   absl::StrJoin(row, ","), "], got ", ShapeText(shape), "."));
  }
  if (shape[0] > model.max_batch) {
    return absl::InvalidArgumentError(absl::StrCat("inference request batch-size must be <= ", model.max_batch,
                                                   " for '", model.network.name, "', got ", shape[0], "."));
  }
  return static_cast<int>(shape[0]);
}

absl::StatusOr<std::string> ReadTypedContents(const ModelInferRequest::InferInputTensor& input,
                                              const ExpectedInput& expected, size_t elements,
                                              const std::string& of_model) {
  const bool floats = IsFloats(expected);
  if (const absl::string_view foreign = ForeignContents(input.contents(), floats); !foreign.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected explicit tensor data for input tensor ",
                                                   ShownText(input.name()), of_model, " of type ", foreign,
                                                   ", expected datatype ", expected.datatype, "."));
  }
  const auto& values = input.contents().uint_contents();
  const auto& numbers = input.contents().fp32_contents();
  const size_t count = static_cast<size_t>(floats ? numbers.size() : values.size());
  if (count == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("unable to find data for input tensor ", ShownText(input.name()), of_model, " in request."));
  }
  if (count != elements) {
    return absl::InvalidArgumentError(absl::StrCat("input element count mismatch for input ", ShownText(input.name()),
                                                   of_model, ". Expected ", elements, ", got ", count, "."));
  }
  if (floats) return std::string(reinterpret_cast<const char*>(numbers.data()), elements * sizeof(float));
  std::string bytes(elements, '\0');
  for (size_t i = 0; i < elements; ++i) {
    const uint32_t value = values[static_cast<int>(i)];
    if (value > 255) {
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " of input ", ShownText(input.name()), of_model,
                                                     " is ", value, ", not from 0 to 255 as UINT8 demands."));
    }
    bytes[i] = static_cast<char>(value);
  }
  return bytes;
}

absl::StatusOr<std::string> ReadContents(ModelInferRequest& request, const ExpectedInput& expected, size_t elements,
                                         const std::string& of_model) {
  const auto& input = request.inputs(0);
  if (request.raw_input_contents().empty()) return ReadTypedContents(input, expected, elements, of_model);
  if (!ForeignContents(input.contents(), true).empty() || !ForeignContents(input.contents(), false).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("contents field must not be specified when using raw_input_contents for ", ShownText(input.name()),
                     of_model, "."));
  }
  if (request.raw_input_contents_size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("expected 1 entry in raw_input_contents but got ",
                                                   request.raw_input_contents_size(), of_model, "."));
  }
  std::string& raw = *request.mutable_raw_input_contents(0);
  const size_t bytes = elements * static_cast<size_t>(expected.element_bytes);
  if (raw.size() != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("input byte size mismatch for input ", ShownText(input.name()),
                                                   of_model, ". Expected ", bytes, ", got ", raw.size(), "."));
  }
  return std::move(raw);
}

absl::StatusOr<std::string> CodesOf(const model::FloatInput& input, const std::string& floats, const std::string& name,
                                    const std::string& of_model) {
  std::string codes(floats.size() / sizeof(float), '\0');
  const std::optional<int64_t> bad = model::ToCodes(input, floats, reinterpret_cast<uint8_t*>(codes.data()));
  if (!bad.has_value()) return codes;
  float value;
  std::memcpy(&value, floats.data() + *bad * static_cast<int64_t>(sizeof(value)), sizeof(value));
  return absl::InvalidArgumentError(
      absl::StrCat("element ", *bad, " of input ", ShownText(name), of_model, " is ", value, ", not a finite number."));
}

}  // namespace

absl::StatusOr<InputTensor> ReadInput(ModelInferRequest& request, const ServedModel& model) {
  const model::TensorDescription& expected = model.network.input;
  const std::string of_model = absl::StrCat(" for model '", model.network.name, "'");
  if (request.inputs_size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected 1 inputs but got ", request.inputs_size(), " inputs", of_model, "."));
  }
  const auto& input = request.inputs(0);
  if (input.name() != expected.name) {
    return absl::InvalidArgumentError(absl::StrCat("expected 1 inputs but got 1 inputs", of_model, ". Got input(s) [",
                                                   ShownText(input.name()), "], but missing required input(s) ['",
                                                   expected.name, "']. Please provide all required input(s)."));
  }
  if (absl::Status status = RefuseSharedMemory(input.parameters(), input.name()); !status.ok()) return status;
  if (absl::Status status = CheckForeignParameters(input.parameters()); !status.ok()) return status;
  const std::optional<model::FloatInput>& floats = model.network.floats;
  const bool is_floats = floats.has_value() && input.datatype() == "FP32";
  if (input.datatype() != "UINT8" && !is_floats) {
    return absl::InvalidArgumentError(absl::StrCat("inference input ", ShownText(input.name()), of_model,
                                                   " has datatype ", ShownText(input.datatype()), ", expected 'UINT8'",
                                                   floats.has_value() ? " or 'FP32'" : "", "."));
  }
  const ExpectedInput wanted{.datatype = is_floats ? "FP32" : "UINT8",
                             .shape = is_floats ? floats->shape : expected.shape,
                             .element_bytes = is_floats ? static_cast<int64_t>(sizeof(float)) : 1};
  const absl::StatusOr<int> rows = CheckShape(input, wanted.shape, model);
  if (!rows.ok()) return rows.status();
  absl::StatusOr<std::string> bytes =
      ReadContents(request, wanted, static_cast<size_t>(*rows) * static_cast<size_t>(expected.elements), of_model);
  if (bytes.ok() && is_floats) bytes = CodesOf(*floats, *bytes, input.name(), of_model);
  if (!bytes.ok()) return bytes.status();
  return InputTensor{.rows = *rows, .bytes = *std::move(bytes)};
}

}  // namespace anybit::server
