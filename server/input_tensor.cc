#include "server/input_tensor.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
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

// The datatypes of the first field that holds elements, other than the one for UINT8; empty if there is none.
absl::string_view ForeignContents(const InferTensorContents& contents) {
  if (contents.bool_contents_size() > 0) return "BOOL";
  if (contents.int_contents_size() > 0) return "INT8, INT16 or INT32";
  if (contents.int64_contents_size() > 0) return "INT64";
  if (contents.uint64_contents_size() > 0) return "UINT64";
  if (contents.fp32_contents_size() > 0) return "FP32";
  if (contents.fp64_contents_size() > 0) return "FP64";
  if (contents.bytes_contents_size() > 0) return "BYTES";
  return "";
}

absl::StatusOr<int> CheckShape(const ModelInferRequest::InferInputTensor& input, const ServedModel& model) {
  const std::vector<int64_t>& row = model.network.input.shape;
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

absl::StatusOr<std::string> ReadTypedContents(const ModelInferRequest::InferInputTensor& input, size_t elements,
                                              const std::string& of_model) {
  if (const absl::string_view foreign = ForeignContents(input.contents()); !foreign.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected explicit tensor data for input tensor ",
                                                   ShownText(input.name()), of_model, " of type ", foreign,
                                                   ", expected datatype UINT8."));
  }
  const auto& values = input.contents().uint_contents();
  if (values.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unable to find data for input tensor ", ShownText(input.name()), of_model, " in request."));
  }
  if (static_cast<size_t>(values.size()) != elements) {
    return absl::InvalidArgumentError(absl::StrCat("input element count mismatch for input ", ShownText(input.name()),
                                                   of_model, ". Expected ", elements, ", got ", values.size(), "."));
  }
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

absl::StatusOr<std::string> ReadContents(ModelInferRequest& request, size_t elements, const std::string& of_model) {
  const auto& input = request.inputs(0);
  if (request.raw_input_contents().empty()) return ReadTypedContents(input, elements, of_model);
  if (input.contents().uint_contents_size() > 0 || !ForeignContents(input.contents()).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("contents field must not be specified when using raw_input_contents for ", ShownText(input.name()),
                     of_model, "."));
  }
  if (request.raw_input_contents_size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("expected 1 entry in raw_input_contents but got ",
                                                   request.raw_input_contents_size(), of_model, "."));
  }
  std::string& raw = *request.mutable_raw_input_contents(0);
  if (raw.size() != elements) {
    return absl::InvalidArgumentError(absl::StrCat("input byte size mismatch for input ", ShownText(input.name()),
                                                   of_model, ". Expected ", elements, ", got ", raw.size(), "."));
  }
  return std::move(raw);
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
  if (input.datatype() != "UINT8") {
    return absl::InvalidArgumentError(absl::StrCat("inference input ", ShownText(input.name()), of_model,
                                                   " has datatype ", ShownText(input.datatype()),
                                                   ", expected 'UINT8'."));
  }
  const absl::StatusOr<int> rows = CheckShape(input, model);
  if (!rows.ok()) return rows.status();
  absl::StatusOr<std::string> bytes =
      ReadContents(request, static_cast<size_t>(*rows) * static_cast<size_t>(expected.elements), of_model);
  if (!bytes.ok()) return bytes.status();
  return InputTensor{.rows = *rows, .bytes = *std::move(bytes)};
}

}  // namespace anybit::server
