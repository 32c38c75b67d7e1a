#include "model/format/float_input_spec.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/format/invalid.h"

namespace anybit::model {

absl::Status CheckFloatInput(const proto::FloatInput& input, int64_t channels) {
  for (const auto& [name, values] : {std::pair("mean", &input.mean()), std::pair("std", &input.std())}) {
    if (values->size() == channels) continue;
    return Invalid("float input: ", values->size(), " values of ", name, " for ", channels, " channels");
  }
  if (!(input.scale() > 0) || !std::isfinite(input.scale())) {
    return Invalid("float input: scale ", input.scale(), " is not a positive number");
  }
  for (int c = 0; c < channels; ++c) {
    const auto gain = static_cast<float>(input.std(c) / input.scale());
    const auto offset = static_cast<float>(input.mean(c) / input.scale());
    if (!(gain > 0) || !std::isfinite(gain) || !std::isfinite(offset)) {
      return Invalid("float input: channel ", c, " has mean ", input.mean(c), " and std ", input.std(c),
                     ", whose gain ", gain, " and offset ", offset, " are not a positive and a finite number");
    }
  }
  return absl::OkStatus();
}

FloatInput DescribeFloatInput(const proto::FloatInput& input, const std::vector<int64_t>& shape) {
  FloatInput described{.channels_first = input.channels_first(),
                       .scale = input.scale(),
                       .mean = {input.mean().begin(), input.mean().end()},
                       .deviation = {input.std().begin(), input.std().end()},
                       .shape = shape};
  if (described.channels_first)
    std::rotate(described.shape.end() - 3, described.shape.end() - 1, described.shape.end());
  for (size_t c = 0; c < described.mean.size(); ++c) {
    described.gain.push_back(static_cast<float>(described.deviation[c] / described.scale));
    described.offset.push_back(static_cast<float>(described.mean[c] / described.scale));
  }
  return described;
}

}  // namespace anybit::model
