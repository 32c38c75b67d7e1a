// The description of float inputs that a NetworkSpec has.
#ifndef ANYBIT_MODEL_FORMAT_FLOAT_INPUT_SPEC_H_
#define ANYBIT_MODEL_FORMAT_FLOAT_INPUT_SPEC_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "model/format/float_input.h"
#include "proto/artifact.pb.h"

namespace anybit::model {

// InvalidArgument, naming value and limit, for a float input that breaks a rule of proto/artifact.proto.
absl::Status CheckFloatInput(const proto::FloatInput& input, int64_t channels);

// `shape` is the network's input, {height, width, channels} with or without frames before it.
FloatInput DescribeFloatInput(const proto::FloatInput& input, const std::vector<int64_t>& shape);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_FLOAT_INPUT_SPEC_H_
