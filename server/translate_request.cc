#include "server/translate_request.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/parameters.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

using inference::ModelInferRequest;

// How many classes of the one output are wanted as text; 0: all logits. None requested means all of them.
absl::StatusOr<int> ReadOutputs(const ModelInferRequest& request, const ServedModel& model) {
  int top_classes = 0;
  const model::TensorDescription& expected = model.network.output;
  if (request.outputs_size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("expected at most 1 outputs but got ", request.outputs_size(),
                                                   " outputs for model '", model.network.name, "'."));
  }
  for (const auto& output : request.outputs()) {
    if (output.name() != expected.name) {
      return absl::InvalidArgumentError(absl::StrCat("unexpected inference output ", ShownText(output.name()),
                                                     " for model '", model.network.name, "', expected '", expected.name,
                                                     "'."));
    }
    if (absl::Status status = RefuseSharedMemory(output.parameters(), output.name()); !status.ok()) return status;
    if (absl::Status status = CheckForeignParameters(output.parameters()); !status.ok()) return status;
    const auto classes =
        BoundedParameter(output.parameters(), "classification", 1, std::numeric_limits<int64_t>::max());
    if (!classes.ok()) return classes.status();
    top_classes = static_cast<int>(std::min(classes->value_or(0), expected.elements));
  }
  return top_classes;
}

}  // namespace

absl::StatusOr<InferCall> TranslateRequest(ModelInferRequest& request, const ServedModel& model) {
  const absl::StatusOr<RequestTerms> terms = ReadTerms(request.parameters(), model);
  if (!terms.ok()) return terms.status();
  if (absl::Status status = CheckForeignParameters(request.parameters()); !status.ok()) return status;
  const absl::StatusOr<int> top_classes = ReadOutputs(request, model);
  if (!top_classes.ok()) return top_classes.status();
  absl::StatusOr<InputTensor> input = ReadInput(request, model);
  if (!input.ok()) return input.status();
  return InferCall{.terms = *terms, .input = *std::move(input), .top_classes = *top_classes};
}

int LargestRequestBytes(const ServedModel& model) {
  // Typed contents take up to two bytes for each code (values above 127), and four for each float.
  const int64_t element = model.network.floats.has_value() ? sizeof(float) : 2;
  const int64_t bytes = element * model.network.input.elements * model.max_batch + kRoomBesideTensors;
  return static_cast<int>(std::min<int64_t>(bytes, std::numeric_limits<int>::max()));
}

int64_t LargestRawRequestBytes(const ServedModel& model) {
  const int64_t element = model.network.floats.has_value() ? sizeof(float) : 1;
  return element * model.network.input.elements * model.max_batch + kRoomBesideTensors;
}

}  // namespace anybit::server
