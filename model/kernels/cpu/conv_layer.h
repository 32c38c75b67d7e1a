// One convolution of a network at one operating point, packed for one algorithm of one kernel table.
//
// Every algorithm gives the same codes; they differ in speed, and in the weights and codes for which they are exact.
// Which is fastest is for the caller to measure.
#ifndef ANYBIT_MODEL_KERNELS_CPU_CONV_LAYER_H_
#define ANYBIT_MODEL_KERNELS_CPU_CONV_LAYER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/format/network_spec.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/kernels/feature_map.h"

namespace anybit {

enum class ConvAlgorithm : uint8_t {
  kFloats,     // full precision, depthwise or not; the others are integers
  kWords,      // direct, 16-bit operands: always exact
  kBytes,      // direct, 8-bit operands
  kSigns,      // direct, weights -1 and +1 on codes of one or two bits
  kDepthwise,  // all depthwise layers, and only those: always exact
  kWords4x4,   // Winograd's, as WinogradKind
  kWords2x4,
  kBytes1x4,
  kBytes2x2,
  kBytes2x4,
  kBytes4x4,
  kWordsStride2_4x4,
  kBytesStride2_2x2,
  kBytesStride2_4x4,
};
inline constexpr int kConvAlgorithms = static_cast<int>(ConvAlgorithm::kWords4x4) + kWinogradKinds;

// "direct_words", "winograd_words_4x4", ...
const char* NameOf(ConvAlgorithm algorithm);
std::optional<ConvAlgorithm> ConvAlgorithmByName(absl::string_view name);

// The weights and the epilogue of one layer at one point.
struct ConvWeights {
  std::span<const int16_t> codes;      // [out][kernel][kernel][channels]; empty at full precision
  std::span<const float> floats;       // likewise, at full precision only
  bool signs = false;                  // codes are -1 and +1
  int highest_input = 255;             // largest code of the input
  std::span<const float> scale, bias;  // [out]
  float residual_scale = 0;
  int highest_output = 0;  // largest code of the output
};

// What one call computes. Images of a map lie image_stride() elements apart. Elements are codes; at full precision
// floats.
struct ConvImages {
  const void* in;
  const void* residual;  // or null
  void* out;
  int64_t count;
};

class ConvLayer {
 public:
  virtual ~ConvLayer() = default;

  // Bytes of the panel, and of the workspace that Run needs (64-byte aligned; any contents).
  virtual int64_t panel_bytes() const = 0;
  virtual int64_t workspace_bytes() const = 0;

  // Any thread, each with its own workspace. Allocates nothing.
  virtual void Run(const ConvImages& images, uint8_t* workspace) const = 0;
};

// The maps that a conv node reads and writes.
struct ConvMaps {
  FeatureMap in, residual, out;
};

// The border that reading `node`'s input takes, whatever the algorithm, as in FeatureMap.
struct Border {
  int64_t before, after;
};
Border BorderFor(const PlannedNode& node);

// Null where the table has no such kernel, or it is not exact for these weights. `node` is a conv node.
std::unique_ptr<ConvLayer> PackConv(ConvAlgorithm algorithm, const KernelTable& kernels, const PlannedNode& node,
                                    const ConvMaps& maps, const ConvWeights& weights);

// The workspace that suffices for any algorithm.
int64_t MostWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps);

// How many multiplications an output takes, and in what operand, as a rough guess of what is fastest before anything
// has been measured: smaller is better.
double GuessedCost(ConvAlgorithm algorithm, const KernelTable& kernels, const PlannedNode& node, int64_t images);

}  // namespace anybit

#endif  // ANYBIT_MODEL_KERNELS_CPU_CONV_LAYER_H_
