#include "model/kernels/cuda/algorithm.h"

#include <algorithm>

#include "model/kernels/cuda/winograd_transform.h"

namespace anybit::model::cuda {
namespace {

constexpr Algorithm kAlgorithms[] = {
    Algorithm::kBytes64,      Algorithm::kBytes128,      Algorithm::kNibbles64,    Algorithm::kNibbles128,
    Algorithm::kBits,         Algorithm::kFloats,        Algorithm::kDepthwise,    Algorithm::kWinograd2x2,
    Algorithm::kWinograd2x4,  Algorithm::kWinograd4x4,   Algorithm::kCutlassBytes, Algorithm::kCutlassNibbles,
    Algorithm::kBfloat16Of64, Algorithm::kBfloat16Of128,
};

// The products of a word's channels fill a step of the depth.
bool ReadsChunks(const ConvProblem& problem) { return problem.in_stored % 16 == 0; }

bool WinogradIsExact(int rows, int cols, const ConvProblem& problem) {
  const ConvGeometry& g = problem.geometry;
  if (g.kernel != 3 || g.stride != 1 || !ReadsChunks(problem)) return false;
  for (int row = 0; row < rows + 2; ++row) {
    for (int col = 0; col < cols + 2; ++col) {
      if (HighestAt(rows, cols, row, col, problem.highest_input) > 255) return false;
      // The largest sum of absolute values of a row of G, in each direction.
      const int taps[] = {1, 1, 1};
      const auto largest = [&](int outputs, int position) {
        int sum = 0;
        for (int tap = 0; tap < 3; ++tap) {
          const int value = TransformedWeight(outputs, position, tap == 0 ? taps[0] : 0, tap == 1 ? taps[1] : 0,
                                              tap == 2 ? taps[2] : 0);
          sum += value < 0 ? -value : value;
        }
        return sum;
      };
      if (largest(rows, row) * largest(cols, col) * problem.largest_weight > 127) return false;
    }
  }
  return problem.largest_sum < (int64_t{1} << (31 - FactorShift(rows, cols)));
}

bool IsExact(int architecture, Algorithm algorithm, const ConvProblem& problem) {
  if (problem.depthwise) return algorithm == Algorithm::kDepthwise;
  if (problem.full_precision && problem.bfloat16 && HasBfloat16(architecture)) {
    return algorithm == Algorithm::kBfloat16Of64 || (algorithm == Algorithm::kBfloat16Of128 && ReadsChunks(problem));
  }
  if (problem.full_precision) return algorithm == Algorithm::kFloats;
  switch (algorithm) {
    case Algorithm::kBytes64: return true;
    case Algorithm::kBytes128: return ReadsChunks(problem);
    case Algorithm::kCutlassBytes: return ReadsChunks(problem) && problem.residual_stored % 16 == 0;
    case Algorithm::kCutlassNibbles:
      if (problem.residual_stored % 16 != 0) return false;
      [[fallthrough]];
    case Algorithm::kNibbles64:
    case Algorithm::kNibbles128:
      return ReadsChunks(problem) && problem.highest_input <= 15 && problem.largest_weight <= 8 &&
             problem.codes.hi <= 7 && problem.codes.lo >= -8;
    case Algorithm::kBits: return ReadsChunks(problem) && problem.highest_input <= 3 && problem.codes.sign;
    case Algorithm::kWinograd2x2: return WinogradIsExact(2, 2, problem);
    case Algorithm::kWinograd2x4: return WinogradIsExact(2, 4, problem);
    case Algorithm::kWinograd4x4: return WinogradIsExact(4, 4, problem);
    case Algorithm::kFloats:
    case Algorithm::kBfloat16Of64:
    case Algorithm::kBfloat16Of128:
    case Algorithm::kDepthwise: return false;
  }
  return false;
}

double WinogradCost(int rows, int cols, const ConvGeometry& g) {
  const double tiles = static_cast<double>(CeilDivide(g.out_height, rows) * CeilDivide(g.out_width, cols));
  const double products = tiles * (rows + 2) * (cols + 2) / (9.0 * g.out_height * g.out_width);
  return products * (1 + 16.0 / std::min(g.in_channels, g.outputs));
}

}  // namespace

std::span<const Algorithm> AllAlgorithms() { return kAlgorithms; }

const char* NameOf(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kBytes64: return "bytes_64";
    case Algorithm::kBytes128: return "bytes_128";
    case Algorithm::kNibbles64: return "nibbles_64";
    case Algorithm::kNibbles128: return "nibbles_128";
    case Algorithm::kBits: return "bits";
    case Algorithm::kFloats: return "floats";
    case Algorithm::kDepthwise: return "depthwise";
    case Algorithm::kWinograd2x2: return "winograd_bytes_2x2";
    case Algorithm::kWinograd2x4: return "winograd_bytes_2x4";
    case Algorithm::kWinograd4x4: return "winograd_bytes_4x4";
    case Algorithm::kCutlassBytes: return "cutlass_bytes";
    case Algorithm::kCutlassNibbles: return "cutlass_nibbles";
    case Algorithm::kBfloat16Of64: return "bfloat16_64";
    case Algorithm::kBfloat16Of128: return "bfloat16_128";
  }
  return "";
}

std::optional<Algorithm> AlgorithmByName(std::string_view name) {
  for (const Algorithm algorithm : kAlgorithms) {
    if (name == NameOf(algorithm)) return algorithm;
  }
  return std::nullopt;
}

bool HasNibbles(int architecture) { return architecture >= 75 && architecture < 90; }

bool HasBfloat16(int architecture) { return architecture >= 80; }

std::optional<Operand> BitsOperand(int architecture) {
  if (architecture == 75) return Operand::kBitsXor;
  if (architecture >= 80 && architecture <= 90) return Operand::kBitsAnd;
  return std::nullopt;
}

bool Offers(int architecture, Algorithm algorithm, const ConvProblem& problem) {
  if (!IsExact(architecture, algorithm, problem)) return false;
  if (algorithm == Algorithm::kNibbles64 || algorithm == Algorithm::kNibbles128 ||
      algorithm == Algorithm::kCutlassNibbles) {
    return HasNibbles(architecture);
  }
  if (algorithm == Algorithm::kBits) return BitsOperand(architecture).has_value();
  return true;
}

double GuessedCost(Algorithm algorithm, const ConvProblem& problem) {
  switch (algorithm) {
    case Algorithm::kBytes64: return 1.05;
    case Algorithm::kBytes128: return 1;
    case Algorithm::kBfloat16Of64: return 1.05;
    case Algorithm::kBfloat16Of128: return 1;
    case Algorithm::kNibbles64: return 0.65;
    case Algorithm::kNibbles128: return 0.6;
    case Algorithm::kBits: return 0.3;
    case Algorithm::kWinograd2x2: return WinogradCost(2, 2, problem.geometry);
    case Algorithm::kWinograd2x4: return WinogradCost(2, 4, problem.geometry);
    case Algorithm::kWinograd4x4: return WinogradCost(4, 4, problem.geometry);
    case Algorithm::kFloats:
    case Algorithm::kDepthwise: return 1;
    case Algorithm::kCutlassBytes:
    case Algorithm::kCutlassNibbles: return 100;
  }
  return 1;
}

}  // namespace anybit::model::cuda
