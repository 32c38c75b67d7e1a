// Rounds float weights to one int8 store that serves all its operating points at once.
//
// Rounding to the nearest code of the store ignores its children, the codes of fewer levels. Here each code exactly
// minimises the sum over points of lambda * (weight - child * unit)^2. The scale of the store is searched. The real
// value of one child code (the unit) is free for each output channel and point, because it folds into the epilogue's
// scale. It needs neither training nor data.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_JOINT_ROUNDING_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_JOINT_ROUNDING_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/format/code_range.h"

namespace anybit::model::train {

// A child of the store: ChildCode(q8, range) * unit stands for a weight. Its squared error has the weight `lambda`.
struct Child {
  CodeRange range;
  double lambda = 1;
  double unit = 1;
};

// The code -127..127 with the smallest sum of squared errors over `children` for `weight`; of equal sums the lowest.
int BestStoreCode(double weight, std::span<const Child> children);

// Weights as a store and its children.
struct RoundedWeights {
  std::vector<int8_t> q8;                  // [out][depth]
  std::vector<float> scale;                // [out], > 0: value of one store step
  std::vector<std::vector<double>> units;  // [range][out], > 0: value of one child code
  std::vector<double> errors;              // [range]: mean squared error, as a share of the mean squared weight
};

struct JointRoundingOptions {
  // Candidates for the value of code 127, as a share of a channel's largest weight. Children of few levels have the
  // smallest error when the largest weights saturate.
  std::vector<double> reaches = {1, .92, .84, .77, .7, .64, .58, .53, .48, .43, .39, .35, .3};
  // Alternations of codes for given units and units for given codes, at the reach that is best after one alternation.
  // Each one lowers the error.
  int rounds = 3;
  // The weight of a child is 1 / (e + floor), where e is its relative error with a store of its own. Children then
  // count by their relative loss, and the floor keeps almost exact children from dominating. Measured with normal
  // weights, 288 per channel, at w8a8, w4a4f, w3a2f and w1a1, in errors of 1/1000:
  //   each alone        .04  14.1   75.6  344
  //   nearest code      .04  18.9  113.5  344
  //   floor .001        .16  16.9   92.5  344
  //   floor .003        .58  15.3   84.3  344
  //   floor .01        1.2   14.4   79.3  344
  double floor = 3e-3;
  // Of the layer: second moments of the inputs of one output, about their means, [depth][depth] or [out][depth][depth].
  // The squared error of a sum, but for its mean, which a bias corrects, is e' M e for errors e of weights: they add up
  // where inputs rise and fall together. Codes move from those of the smallest error of weights to those of the
  // smallest error of sums. Empty: inputs count as independent and alike.
  std::span<const float> moments;
  // The share of the mean of the moments' diagonal that is added to it.
  double damping = .01;
};

// `weights` are [outputs][depth] and finite; there is at least one range. Channels of zeros get codes 0 and scale 1e-8.
RoundedWeights RoundJointly(std::span<const float> weights, int64_t outputs, std::span<const CodeRange> ranges,
                            const JointRoundingOptions& options = {});

// The baseline of RoundJointly: each weight is rounded to the nearest code, and code 127 is the channel's largest
// weight. The unit of a child is its step, that of a sign the mean magnitude.
RoundedWeights RoundToNearest(std::span<const float> weights, int64_t outputs, std::span<const CodeRange> ranges);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_JOINT_ROUNDING_H_
