#include "server/translate_outcome.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/time.h"
#include "server/inference_payload.h"

namespace anybit::server {
namespace {

using inference::ModelInferResponse;

// Raw contents are little-endian, and so is every machine this is built for: no byte is swapped below.
static_assert(std::endian::native == std::endian::little);

void SetInt64(ModelInferResponse& response, const char* name, int64_t value) {
  (*response.mutable_parameters())[name].set_int64_param(value);
}

// The `count` highest logits of a row, highest first, as BYTES elements "value:index" or "value:index:label".
// Not-a-number counts as lowest and equal logits keep their order, so the order is total whatever a network returns.
std::string TopClasses(const float* logits, int size, int count, const std::vector<std::string>& labels) {
  std::vector<int> order(size);
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](int i) { return std::isnan(logits[i]) ? -std::numeric_limits<float>::infinity() : logits[i]; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return rank(a) > rank(b); });
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    std::string element = absl::StrFormat("%f:%d", logits[order[i]], order[i]);
    if (!labels.empty()) absl::StrAppend(&element, ":", labels[order[i]]);
    const auto length = static_cast<uint32_t>(element.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
    bytes += element;
  }
  return bytes;
}

void AddOutput(const std::vector<float>& logits, const ResponseForm& form, const model::NetworkDescription& network,
               ModelInferResponse& response) {
  auto& output = *response.add_outputs();
  output.set_name(network.output.name);
  output.add_shape(form.rows);
  std::string& raw = *response.add_raw_output_contents();
  if (form.top_classes == 0) {
    output.set_datatype("FP32");
    for (int64_t dimension : network.output.shape) output.add_shape(dimension);
    raw.assign(reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float));
    return;
  }
  output.set_datatype("BYTES");
  output.add_shape(form.top_classes);
  const int classes = static_cast<int>(network.output.elements);
  for (int row = 0; row < form.rows; ++row) {
    raw += TopClasses(logits.data() + row * classes, classes, form.top_classes, network.labels);
  }
}

}  // namespace

ModelInferResponse TranslateOutcome(const scheduler::Outcome& outcome, const ResponseForm& form,
                                    const ServedModel& model) {
  ModelInferResponse response;
  response.set_model_name(model.network.name);
  response.set_model_version(absl::StrCat(model.network.version));
  response.set_id(form.request_id);
  const model::OperatingPoint& point = model.network.points[ToIndex(outcome.point)];
  (*response.mutable_parameters())["operating_point"].set_string_param(point.name);
  SetInt64(response, "bits", point.weight_bits);
  SetInt64(response, "expected_accuracy_bp", ToBasisPoints(outcome.expected_accuracy));
  SetInt64(response, "queue_us", ToMicros(outcome.queue_time));
  SetInt64(response, "compute_us", ToMicros(outcome.compute_time));
  SetInt64(response, "batch_size", outcome.batch_rows);
  (*response.mutable_parameters())["deadline_met"].set_bool_param(outcome.deadline_met);
  AddOutput(static_cast<const InferencePayload&>(*outcome.payload).output, form, model.network, response);
  return response;
}

}  // namespace anybit::server
