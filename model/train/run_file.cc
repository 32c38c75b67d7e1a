#include "model/train/run_file.h"

#include <google/protobuf/util/json_util.h>

#include <cmath>

#include "absl/strings/str_cat.h"

namespace anybit::model::train {

double BitsOfLevels(int64_t levels) { return std::log2(static_cast<double>(levels)); }

PointResult ResultOf(const PointRecipe& point) {
  const CodeRange& weights = point.weights;
  PointResult result;
  result.set_name(point.name);
  result.set_weight_bits(point.full_precision ? point.weight_bits
                                              : BitsOfLevels(weights.sign ? 2 : weights.hi - weights.lo + 1));
  result.set_activation_bits(point.full_precision ? point.activation_bits : BitsOfLevels(point.highest_code + 1));
  return result;
}

std::string SerializeRun(const TrainingRun& run) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // It fails only for strings that are not UTF-8. The text is then incomplete, and ParseRun refuses it.
  static_cast<void>(google::protobuf::util::MessageToJsonString(run, &json, options));
  return json;
}

absl::StatusOr<TrainingRun> ParseRun(absl::string_view json) {
  TrainingRun run;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(json), &run);
  if (!parsed.ok()) return absl::InvalidArgumentError(absl::StrCat("not a training run: ", parsed.ToString()));
  if (run.recipe().empty() || run.points().empty()) {
    return absl::InvalidArgumentError("not a training run: it names no recipe or no operating point");
  }
  for (const PointResult& point : run.points()) {
    for (const double accuracy : {point.held_out_accuracy(), point.test_accuracy()}) {
      if (accuracy >= 0 && accuracy <= 1) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("point '", point.name(), "': accuracy ", accuracy, " is outside 0..1"));
    }
    for (const double bits : {point.weight_bits(), point.activation_bits()}) {
      if (bits > 0 && bits <= kFullPrecisionBits) continue;
      return absl::InvalidArgumentError(absl::StrCat("point '", point.name(), "': ", bits, " bits are outside 0..32"));
    }
  }
  return run;
}

}  // namespace anybit::model::train
