// The launches of the GPU engine as values: everything that a kernel reads, writes and computes.
//
// A call names device memory; launch.h runs it on a device, testing/run_on_host.h on the host. Maps are NHWC without
// borders: [image][pixel][stored channels]. Stored channels beyond the tensor's hold zeros, which every producer
// writes, so maps may share memory freely. A word is 32 bits: 4 codes, 8 nibbles, 32 bits of one plane, 2 bfloat16
// numbers, or a float.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_CALLS_H_
#define ANYBIT_MODEL_KERNELS_CUDA_CALLS_H_

#include <cstdint>
#include <variant>

namespace anybit::model::cuda {

// What the tensor cores multiply. Nibbles: codes 0..15 and weights -8..7. Bits: planes of codes 0..3 and weights -1 and
// +1, by AND and a count of ones, or, where the device has only that, by XOR. Sums of bfloat16 products are floats.
// Floats are not multiplied by tensor cores.
enum class Operand : uint8_t { kBytes, kNibbles, kBitsAnd, kBitsXor, kFloats, kBfloat16 };

// y = clamp(rne(fma(float(sum), scale[o], bias[o]) [+ residual * residual_scale by a second fma]), 0, highest).
// Floats: the same without rounding, or rounded to bfloat16; the lower limit is there only with ReLU, the upper one
// never.
struct Epilogue {
  const float* scale = nullptr;  // [outputs rounded up to kTileOutputs], zeros beyond the outputs; bias likewise
  const float* bias = nullptr;
  const float* scale_and_bias = nullptr;  // the same, interleaved
  const void* residual = nullptr;         // a map of the output's pixels, or null
  int residual_stored = 0;                // its stored channels
  float residual_scale = 0;
  float highest = 0;
  bool relu = true;
  bool bfloat16 = false;
};

// A square convolution from one map to another.
struct ConvGeometry {
  int in_height = 0, in_width = 0, in_channels = 0;
  int kernel = 1, stride = 1, padding = 0;
  int out_height = 0, out_width = 0, outputs = 0;
  int out_stored = 0;  // stored channels of the output
  int64_t images = 0;
  int64_t pixels() const { return images * out_height * out_width; }
};

inline constexpr int kTileOutputs = 64;      // of one block of a direct convolution
inline constexpr int kStepWords = 16;        // of the depth that it takes at once
inline constexpr int kWinogradTiles = 16;    // of one block of a Winograd convolution
inline constexpr int kWinogradOutputs = 32;  // likewise
inline constexpr int kItemsPerBlock = 256;   // of kernels with one thread for each item
inline constexpr int kLinearRows = 8;        // that share one pass over the weights

// A direct convolution as a matrix product on tensor cores.
struct ConvCall {
  ConvGeometry geometry;
  Operand operand{};
  int tile_rows = 64;                 // output pixels of a block: 64 or 128
  int planes = 1;                     // of bits
  int plane_words = 0;                // of one pixel and plane
  const uint32_t* in = nullptr;       // [image][pixel][plane][plane_words]
  const uint32_t* weights = nullptr;  // panel: [outputs up to kTileOutputs][taps * plane_words up to kStepWords]
  const int32_t* ones = nullptr;      // kBitsXor: of each output, the ones of its weights times (2^planes - 1)
  Epilogue epilogue;
  void* out = nullptr;
};

// The same by CUTLASS's kernels, which take whole chunks only: stored channels of all maps are multiples of 16 codes.
struct CutlassConvCall {
  ConvGeometry geometry;
  Operand operand{};     // kBytes or kNibbles
  int architecture = 0;  // of the device
  int in_stored = 0;     // channels from pixel to pixel, of nibbles a multiple of 32
  const void* in = nullptr;
  const void* weights = nullptr;  // panel: [out_stored][taps][in_stored]

  Epilogue epilogue;
  void* out = nullptr;
};

// A 3x3 convolution of stride 1 by exact byte Winograd: transforms and products in one kernel.
struct WinogradCall {
  ConvGeometry geometry;
  int tile_rows = 2, tile_cols = 2;  // outputs of a tile: 2x2, 2x4 or 4x4
  int highest_input = 0;             // code
  int in_stored = 0;                 // stored channels of the input
  const uint32_t* in = nullptr;
  const uint32_t* weights = nullptr;  // panel: see winograd_transform.h
  const int32_t* init = nullptr;      // [positions][outputs up to kWinogradOutputs]
  Epilogue epilogue;
  void* out = nullptr;
};

// A depthwise convolution: each channel by itself.
struct DepthwiseCall {
  ConvGeometry geometry;
  bool floats = false;
  const uint32_t* in = nullptr;          // out_stored channels
  const int8_t* weights = nullptr;       // panel: [tap][out_stored]
  const float* float_weights = nullptr;  // the store's: [channel][tap]; rounded as the epilogue's results are
  Epilogue epilogue;
  void* out = nullptr;
};

struct MaxPoolCall {
  ConvGeometry geometry;  // kernel: the window
  bool floats = false;
  const uint32_t* in = nullptr;  // out_stored channels
  uint32_t* out = nullptr;
};

// Dense rows of codes to a map.
struct CopyInputCall {
  int64_t pixels = 0;
  int channels = 0, stored = 0;
  bool floats = false;
  const uint8_t* in = nullptr;
  void* out = nullptr;
};

// Codes to nibbles or to planes of bits; floats, which are bfloat16 numbers, to pairs of these.
struct PackCall {
  int64_t pixels = 0;
  int stored = 0;  // channels of the input
  Operand operand{};
  int planes = 1;  // of bits
  int plane_words = 0;
  const void* in = nullptr;
  uint32_t* out = nullptr;  // [pixel][plane][plane_words]
};

// The linear node's input: of each channel the sum over `pixels` pixels, or each value by itself.
struct GatherCall {
  int64_t rows = 0;
  int64_t pixels = 0;  // of a row, in all its frames
  int channels = 0, stored = 0;
  bool sum = false, floats = false;
  bool bfloat16 = false;  // floats: rounded to it
  const void* in = nullptr;
  void* out = nullptr;  // int32 or float [row][channels], or [row][pixels * channels]
};

// A map with a border, for convolutions that pad with other values than zeros.
struct PadCall {
  int64_t images = 0;
  int height = 0, width = 0, padding = 0;  // without the border
  int pixel_words = 0;
  const uint32_t* border = nullptr;  // one pixel
  const uint32_t* in = nullptr;
  uint32_t* out = nullptr;  // [image][height + 2 * padding][width + 2 * padding][pixel_words]
};

// Activation.Function of proto/artifact.proto, with its numbers.
enum class PointwiseFunction : uint8_t {
  kClip = 1,
  kHardSigmoid,
  kHardSwish,
  kSigmoid,
  kSilu,
  kGelu,
  kGeluTanh,
  kLeakyRelu,
  kElu,
  kTanh,
  kSoftplus,
  kMish,
};

// What follows a convolution's epilogue, in place: a table of codes, or a function of floats.
struct ActivateCall {
  int64_t pixels = 0;
  int channels = 0, stored = 0;
  const uint8_t* table = nullptr;  // [256]; null: floats
  PointwiseFunction function{};
  float alpha = 0, beta = 0;
  bool bfloat16 = false;  // floats: rounded to it
  void* map = nullptr;
};

// Each channel of a map times a number of its own: Gate of proto/artifact.proto.
struct GateCall {
  int64_t images = 0;
  int64_t pixels = 0;  // of an image
  int channels = 0, stored = 0;
  int factors_stored = 0;
  bool floats = false;
  bool bfloat16 = false;  // floats: rounded to it
  float scale = 0;        // codes, as what follows
  int in_zero = 0, factor_zero = 0, out_zero = 0, highest = 0;
  const void* in = nullptr;
  const void* factors = nullptr;  // [image][factors_stored]
  void* out = nullptr;
};

// A convolution of a global pool's sums, to a map of one pixel.
struct SumsConvCall {
  int64_t rows = 0;
  int64_t depth = 0;
  int outputs = 0, out_stored = 0;
  bool floats = false;
  const void* in = nullptr;       // [row][depth], int32 or floats
  const void* weights = nullptr;  // [output][depth], int8 codes or floats
  Epilogue epilogue;
  void* out = nullptr;
};

struct LinearCall {
  int64_t rows = 0;
  int64_t depth = 0;
  int outputs = 0;
  bool floats = false;
  const void* in = nullptr;       // [row][depth]
  const void* weights = nullptr;  // [output][depth], int8 codes or floats
  bool bfloat16 = false;          // floats: the weights are rounded to it
  const float* scale = nullptr;
  const float* bias = nullptr;
  float* out = nullptr;  // [row][outputs]
};

// The codes of an operating point's weights, as in model/format/code_range.h.
struct Codes {
  int step = 1, lo = -127, hi = 127;
  bool sign = false;
};

enum class PanelKind : uint8_t { kDirect, kFilter, kOnes, kDepthwise, kLinear, kWinograd, kWinogradInit };

// Derives a panel, or a part of it, from the store.
struct PanelCall {
  PanelKind kind{};
  Operand operand{};      // kDirect, kFilter
  bool bfloat16 = false;  // kDirect of floats: rounded to it
  Codes codes;
  int outputs = 0, channels = 0;  // of the store; depthwise: channels 1
  int taps = 1;
  int plane_words = 0;               // kDirect, kFilter, kOnes
  int planes = 1;                    // kOnes
  int stored = 0;                    // kDepthwise: channels of the map; kFilter: of the output
  int tile_rows = 0, tile_cols = 0;  // kWinograd, kWinogradInit
  int highest_input = 0;             // kWinogradInit
  int64_t items = 0;                 // that the panel has; PanelItems
  const int8_t* store = nullptr;     // [output][tap][channel]
  const float* full = nullptr;       // kDirect of floats and bfloat16: the same shape
  void* out = nullptr;
};

using KernelCall =
    std::variant<ConvCall, CutlassConvCall, WinogradCall, DepthwiseCall, MaxPoolCall, CopyInputCall, PackCall,
                 GatherCall, LinearCall, PanelCall, PadCall, ActivateCall, GateCall, SumsConvCall>;

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_CALLS_H_
