// One convolution with random operands and the codes that it must give: for kernels on the host and on a device.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_TESTING_CONV_CASE_H_
#define ANYBIT_MODEL_KERNELS_CUDA_TESTING_CONV_CASE_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/kernels/cuda/algorithm.h"
#include "model/kernels/testing/conv_cases.h"

namespace anybit::model::cuda {

struct ConvCaseOptions {
  int64_t images = 1;
  bool residual = false;
  bool extreme = false;      // operands at the ends of their ranges, where a kernel overflows
  bool image_input = false;  // the network's input: four stored channels where that is enough
  bool fine = false;         // each output shows single units of the sums near that of one pixel
};

struct ConvCase {
  ConvProblem problem;
  int64_t images = 1;
  std::vector<int8_t> store;
  std::vector<uint8_t> in, residual, expected;  // maps; no residual: empty
  std::vector<float> scale, bias, scale_and_bias;
  float residual_scale = 0;
  int highest = 0;
  std::string text;  // what it is, for a failure's message
};

// What the shape of a convolution tells. `image_input`: of few channels, as the network's input.
ConvProblem ProblemOfShape(const PlannedNode& node, bool image_input);

ConvCase MakeConvCase(const ConvShape& shape, const ConvRange& range, const ConvCaseOptions& options,
                      std::mt19937_64& random);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_TESTING_CONV_CASE_H_
