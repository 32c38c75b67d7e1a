// Float inputs of a network of codes: what a client sends that has the float network's preprocessing.
//
// proto/artifact.proto defines the arithmetic (FloatInput); float_input_spec.h reads it. Each float gives one code; the
// network sees codes only.
#ifndef ANYBIT_MODEL_FORMAT_FLOAT_INPUT_H_
#define ANYBIT_MODEL_FORMAT_FLOAT_INPUT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"

namespace anybit::model {

struct FloatInput {
  bool channels_first = false;
  double scale = 1;
  std::vector<double> mean, deviation;  // per channel
  std::vector<int64_t> shape;           // of one row of floats, without the batch dimension
  std::vector<float> gain, offset;      // per channel: code = x * gain + offset
};

// Writes the codes of whole rows of float32 numbers, little-endian and at any address, in the order of the network's
// input. Returns the index of the first number that is not finite, or none.
std::optional<int64_t> ToCodes(const FloatInput& input, absl::string_view floats, uint8_t* codes);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_FLOAT_INPUT_H_
