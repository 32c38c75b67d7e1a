// Rounds float weights to one int8 store that serves all its operating points at once.
//
// Rounding to the store's nearest code is best for the store alone; its children, the codes of fewer levels, are then
// what they are. Here each code minimises the sum over points of lambda * (weight - child * unit)^2, exactly; the
// store's scale is searched, and the real value of one child code (the unit) is free for each output channel and
// point, because it folds into the epilogue's scale. No training, no data.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_JOINT_ROUNDING_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_JOINT_ROUNDING_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/format/code_range.h"

namespace anybit {

// A child of the store: ChildCode(q8, range) * unit stands for a weight; its squared error counts `lambda` times.
struct Child {
  CodeRange range;
  double lambda = 1;
  double unit = 1;
};

// The code -127..127 with the smallest sum of squared errors over `children` for `weight`; of equal ones the lowest.
int BestStoreCode(double weight, std::span<const Child> children);

// Weights as a store and its children.
struct RoundedWeights {
  std::vector<int8_t> q8;                  // [out][depth]
  std::vector<float> scale;                // [out], > 0: value of one store step
  std::vector<std::vector<double>> units;  // [range][out], > 0: value of one child code
  std::vector<double> errors;              // [range]: mean squared error, as a share of the mean squared weight
};

struct JointRoundingOptions {
  // Candidates of 127 store steps as a share of a channel's largest weight. Few-level children want less than all.
  std::vector<double> reaches = {1, .92, .84, .77, .7, .64, .58, .53, .48, .43, .39, .35, .3};
  // At the reach that is best after one: codes for given units, then units for given codes, this many times. The error
  // falls each time.
  int rounds = 3;
  // A child that could have the relative error e counts 1 / (e + floor): points matter by how much worse they get, and
  // those that are almost exact do not take over. Normal weights at w8a8, w4a4f, w3a2f, w1a1, 288 to a channel, errors
  // in 1/1000: each alone .04, 14.1, 75.6, 344; rounded to the nearest .04, 18.9, 113.5, 344; jointly with a floor of
  // .001, .003, .01: .16 .58 1.2, 16.9 15.3 14.4, 92.5 84.3 79.3, 344.
  double floor = 3e-3;
};

// `weights` are [outputs][depth], finite; `ranges` at least one. Channels of zeros get codes 0 and scale 1e-8.
RoundedWeights RoundJointly(std::span<const float> weights, int64_t outputs, std::span<const CodeRange> ranges,
                            const JointRoundingOptions& options = {});

// The same form by rounding each weight to the store's nearest code, whose 127 steps reach the largest weight of the
// channel; a child's unit is its step, of a sign the mean magnitude. What RoundJointly is compared with.
RoundedWeights RoundToNearest(std::span<const float> weights, int64_t outputs, std::span<const CodeRange> ranges);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_JOINT_ROUNDING_H_
