// The operating points that a network is trained for, as data: names on the command line become code ranges.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_POINT_RECIPE_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_POINT_RECIPE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/format/code_range.h"

namespace anybit::model::train {

// The index of a point in the list that a run trains (a std::vector<PointRecipe>). It is not the PointId of an
// artifact: the list may have a full-precision start behind its points, and an artifact may have only some of them.
using PointIndex = int;

struct PointRecipe {
  std::string name;
  bool full_precision = false;  // floats; with 16 bits their upper halves
  CodeRange weights;            // of inner layers; the first and the last keep all 8 bits of the store
  int highest_code = 255;       // of every activation, 1..255
  int weight_bits = 8;          // that the weight codes need, for display and accuracy floors
  int activation_bits = 8;      // that the activation codes need
  int interval = 1;             // in steps: the point is trained on every interval-th one
};

// Parses a comma-separated list, in the order of the artifact's points. Each item is one of
//   fp32
//   bf16                     fp32 with the upper halves of floats
//   w<b>a<b>                 standard ranges of 1..8 bits: w8a8, w4a4, w2a2, w1a2
//   w5a6f w4a4f w3a2f        ranges fitted to the fastest exact kernels
//   NAME=STEP/LO/HI/HIGHEST  any other: weight step and limits, highest activation code
// and may end in @N, to train it on every N-th step only. InvalidArgument for anything else and for repeated names.
absl::StatusOr<std::vector<PointRecipe>> ParsePoints(absl::string_view list);

inline constexpr char kDefaultPoints[] = "fp32,w8a8,w4a4f,w3a2f,w1a1";

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_POINT_RECIPE_H_
