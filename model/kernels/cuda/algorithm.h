// The ways to compute a convolution on a GPU, and where each one is exact and native.
//
// All give the same codes. Names are stable, since profile files hold them.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_ALGORITHM_H_
#define ANYBIT_MODEL_KERNELS_CUDA_ALGORITHM_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/kernels/cuda/calls.h"

namespace anybit::model::cuda {

// Direct ones are named by their operand and the pixels of a block, or by the library that has them.
enum class Algorithm : uint8_t {
  kBytes64,
  kBytes128,
  kNibbles64,
  kNibbles128,
  kBits,
  kFloats,
  kDepthwise,
  kWinograd2x2,
  kWinograd2x4,
  kWinograd4x4,
  kCutlassBytes,
  kCutlassNibbles,
  kBfloat16Of64,
  kBfloat16Of128,
};

std::span<const Algorithm> AllAlgorithms();
const char* NameOf(Algorithm algorithm);
std::optional<Algorithm> AlgorithmByName(std::string_view name);

// One convolution of a network at one operating point.
struct ConvProblem {
  ConvGeometry geometry;    // of one image
  int in_stored = 0;        // stored channels of the input
  int residual_stored = 0;  // of what is added; 0: nothing
  bool depthwise = false;
  bool full_precision = false;
  bool bfloat16 = false;  // at full precision: with bfloat16 numbers (docs/formats.md)
  Codes codes;
  int largest_weight = 127;  // the greatest absolute value of a code of this layer
  int64_t largest_sum = 0;   // of the absolute values of an output's codes, times highest_input
  int highest_input = 255;   // code
};

// Architectures by compute capability, as 10 * major + minor: 75, 80, 90, 120. Operands that an architecture only
// emulates, by many instructions (tests/gpu has the census), are not offered there.
bool HasNibbles(int architecture);
bool HasBfloat16(int architecture);
std::optional<Operand> BitsOperand(int architecture);

// Whether `algorithm` computes `problem` exactly, by native instructions of `architecture`. At full precision the
// algorithms that one architecture offers add in the same order, so that they give equal values.
bool Offers(int architecture, Algorithm algorithm, const ConvProblem& problem);

// The order in which to try algorithms that were not measured: less is faster. CUTLASS comes last, since only a device
// can show that its kernels give our codes.
double GuessedCost(Algorithm algorithm, const ConvProblem& problem);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_ALGORITHM_H_
