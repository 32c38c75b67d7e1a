// The inner loops of the engine, as a table of functions for one instruction set.
//
// The table is chosen once, where the network is built, and passed down; there is no dispatch per call. Kernels
// allocate nothing. The one idea: every product runs in *steps* of 4 activation bytes times a panel block of 16 outputs
// x 4 weight bytes, whatever the 4 bytes hold. One loop then serves direct convolutions and Winograd's products, in
// bytes, words, signs and floats, on every instruction set.
//
// Activations are NHWC. Channels are padded with zeros to kLanes, except those of a network's input. A zero border is
// wide enough for every window and tile that is read. Pointers to pixels need the alignment of their type only.
#ifndef ANYBIT_MODEL_KERNELS_CPU_KERNEL_TABLE_H_
#define ANYBIT_MODEL_KERNELS_CPU_KERNEL_TABLE_H_

#include <cstdint>

namespace anybit::model {

inline constexpr int kLanes = 16;     // outputs of one panel block
inline constexpr int kStepBytes = 4;  // bytes of one pixel in one step
inline constexpr int64_t kUnlimitedSteps = int64_t{1} << 62;
inline constexpr int kBlockStepBytes = kLanes * kStepBytes;  // panel bytes of one step: [16 outputs][4 bytes]

// The contents of the 4 bytes of a step.
enum class Operand : uint8_t {
  kBytes,    // four u8 codes, four s8 weights
  kWords,    // two s16 values, two s16 weights
  kSigns,    // 32 bits of one plane of the codes, 32 signs (bit set for +1)
  kFloats,   // one float, one float
  kBfloats,  // two bfloat16 weights; two floats of a pixel, or two bfloat16 (KernelTable::bfloat_input_bytes)
};
inline constexpr int kOperands = 5;

// Turns finished sums into codes (model/format/requantize.h). Arrays hold whole blocks: [16 * blocks].
struct Epilogue {
  const float* scale;
  const float* bias;
  float residual_scale;
  float highest;          // highest code, a whole number; of floats unused
  float lowest;           // of floats: 0, or minus infinity where there is no ReLU; else unused
  bool bfloat16 = false;  // of floats: outputs are rounded to bfloat16 (model/format/bfloat16.h)
};

inline constexpr int kMaxCallPixels = 96;

// Output pixels times all outputs of a layer. Sums run over `rows` ranges of `row_steps` steps, `row_stride` bytes
// apart: the rows of the kernel window, contiguous in NHWC.
struct ConvCall {
  const uint8_t* const* windows;  // [pixels], each pixel's first byte
  int pixels;                     // at most kMaxCallPixels
  int rows;
  int64_t row_stride;  // bytes
  int64_t row_steps;
  const uint8_t* panel;  // [blocks][rows * row_steps][kBlockStepBytes or less], 64-byte aligned
  int blocks;
  int64_t exact_steps;         // kBytes: steps whose sum, pair by pair of weights, fits 16 bits; >= 1
  int planes;                  // kSigns: 1 or 2
  int64_t plane_stride;        // kSigns: bytes from a window's bits of plane 0 to those of plane 1
  const int32_t* window_sums;  // kSigns: [pixels], the sum of each window's codes
  Epilogue epilogue;
  const void* const* residuals;  // [pixels] codes (at full precision: floats) to add, or null
  void* const* outputs;          // [pixels], 16 * blocks codes (at full precision: floats) each
  // Where windows are of 3 x 3 pixels, and `pixels` whole runs of so many whose windows start one pixel apart; else 0.
  int run = 0;
};

// A tile: 16 pixels by 16 outputs, and what a step of tiles takes: 64 bytes of each pixel.
inline constexpr int kTilePixels = 16;
inline constexpr int kTileStepBytes = 64;
inline constexpr int kTileBytes = kTilePixels * kTileStepBytes;
inline constexpr int kTileScratchBytes = 12 * kTileBytes;

// Groups of 16 output pixels times all outputs of a layer, in bytes, or in bfloat16 with sums of 32-bit floats. The
// windows of a group lie one stride apart; every 64 bytes that a step reads of a window meet one tile of the panel.
struct TileCall {
  const uint8_t* const* groups;  // [group_count], the first byte of each group's first window
  int group_count;
  int64_t pixel_stride;  // bytes from window to window of a group
  const int64_t* steps;  // [step_count], bytes from a window's first to those of each step
  int64_t step_count;
  const uint8_t* panel;  // [blocks][step_count] tiles: [16 steps of 4 bytes][kBlockStepBytes], 64-byte aligned
  int weight_bits;       // 8, or 4, 3, 2 or 1 where tiles of the panel are packed (packed_tiles.h); 16: bfloat16
  int blocks;            // of packed tiles a multiple of 4
  Epilogue epilogue;
  const uint8_t* const* residuals;  // [16 * group_count] codes (bfloat16: floats) to add, or null
  uint8_t* const* outputs;          // [16 * group_count], 16 * blocks codes (bfloat16: floats) each
  uint8_t* scratch;                 // [kTileScratchBytes], 64-byte aligned
};

struct TileProduct;

struct TileKernels {
  // A thread calls them before and after its calls of `convolve`, as TileScope does.
  void (*configure)();
  void (*release)();

  void (*convolve)(const TileCall&);

  // Byte products like WinogradKernels::multiply, with lanes of 32 bits, of whole steps of tiles (kTileStepBytes) and
  // whole groups of kTilePixels Winograd tiles: v and m have memory for the last group's, however many `tiles` are.
  void (*multiply)(const TileProduct&);
};

// One row of output pixels of a depthwise convolution: every channel by itself, 16 channels at once. Tap t of a window
// is `taps[t]` elements from the window's first code.
struct DepthwiseCall {
  const void* in;  // the first window's first code (floats: value)
  int64_t pixels;
  int64_t in_step;      // elements from window to window
  const int64_t* taps;  // [count]; for codes an even number, if need be with a last tap of weight 0
  int count;            // of taps
  const void* weights;  // s16 [blocks][taps / 2][16 lanes][2 taps]; floats [blocks][taps][16]; 64-byte aligned
  int blocks;
  Epilogue epilogue;
  const void* residual;   // of the first pixel, or null
  int64_t residual_step;  // elements
  void* out;              // 16 * blocks of every pixel
  int64_t out_step;       // elements
};

// The weights and the epilogue of a chunk of channels, as depthwise_3x3 reads them. Vector v of a chunk has in its lane
// 4 * l + i channel 16 * l + 4 * v + i.
inline constexpr int kDepthwiseChannels = 64;
struct alignas(64) DepthwiseChunk {
  int8_t weights[3][4][kDepthwiseChannels];  // [column][vector][lane: rows 0, 1, 2 and zero]
  float scale[4][16], bias[4][16];           // [vector][lane]
};

// An exact Winograd convolution F(rows x cols) of a 3x3 kernel at stride 1, or 2 where the name says so, in words (16
// bits) or bytes. kBytes1x4 transforms along the row only. winograd.h has the arithmetic and the rules of exactness.
enum class WinogradKind : uint8_t {
  kWords4x4,
  kWords2x4,
  kBytes1x4,
  kBytes2x2,
  kBytes2x4,
  kBytes4x4,
  kWordsStride2_4x4,
  kBytesStride2_2x2,
  kBytesStride2_4x4,
};
inline constexpr int kWinogradKinds = 9;

// Transforms input tiles: V[position][tile][depth], in words or bytes. The depth of a kBytes1x4 position is three input
// rows of `channels`, one after the other.
struct TileInput {
  const uint8_t* const* tiles;  // [count], each tile's first code
  int count;
  int64_t row_stride;     // bytes
  int64_t channels;       // stored; a multiple of kLanes; also the bytes from pixel to pixel
  uint8_t offset;         // bytes: added to make V unsigned
  uint8_t corner_offset;  // bytes: likewise at position (1, 1), for kBytes1x4 at position 1; not at stride 2
  uint8_t* v;
  int64_t position_stride;  // bytes
  int64_t tile_stride;      // bytes
};

// One position's product M[tile][16 outputs] = V[tile][depth] * U[depth][16 outputs] + init. Sums wrap: a lane of M is
// 32 bits, or 16 where the table says so for bytes.
struct TileProduct {
  const uint8_t* v;
  int64_t tile_stride;  // bytes
  int tiles;
  int64_t steps;
  const uint8_t* u;  // a block's [steps][kBlockStepBytes], 64-byte aligned
  int64_t u_stride;  // bytes from block to block
  int blocks;
  const int32_t* init;  // a block's [16], or null for zeros
  int64_t init_stride;  // ints from block to block
  uint8_t* m;
  int64_t m_tile_stride;  // bytes
  int64_t m_stride;       // bytes from block to block
};

// The part of an output tile that lies within the map.
struct TileExtent {
  uint8_t rows;
  uint8_t cols;
};

// Transforms tiles of one block of 16 outputs back and applies the epilogue.
struct TileOutput {
  const uint8_t* m;       // [count] tiles of [position][16 lanes]
  int64_t m_tile_stride;  // bytes
  int count;
  // 16-bit lanes: [16], the middle of each output's possible results, and its low 16 bits.
  const int32_t* centers;
  const int16_t* low_centers;
  Epilogue epilogue;                                   // of this block; scales divided by the kind's factor
  const TileExtent* extents;                           // [count]
  const uint8_t* const* residuals;                     // [count], or null
  int64_t residual_row_stride, residual_pixel_stride;  // bytes
  uint8_t* const* outputs;                             // [count]
  int64_t row_stride, pixel_stride;                    // bytes
};

struct WinogradKernels {
  void (*transform_input)(const TileInput&);
  void (*multiply)(const TileProduct&);
  void (*transform_output)(const TileOutput&);
};

struct MaxPoolCall {
  int64_t out_height, out_width, channels;  // stored channels
  int size, stride;
  int64_t in_row_stride, out_row_stride;  // elements
};

struct KernelTable {
  const char* name;

  // Byte sums inside Winograd products wrap at 16 bits, and pairs of products saturate: fewer weights are exact.
  bool narrow_bytes;

  // Panel blocks that a kernel computes at once.
  int blocks;

  // Runs the table's fastest exact inner loop (on bytes, where they are not narrow, else words) on operands in the
  // first-level cache, `rounds` times; returns the number of multiplications. Benchmarks call its speed the peak.
  int64_t (*spin)(int rounds);
  // The same of products of floats, and of bfloat16 numbers.
  int64_t (*spin_floats)(int rounds);
  int64_t (*spin_bfloats)(int rounds);

  // Bytes of each weight in a panel of convolve's kWords: 2, or 1 where the kernel widens them.
  int word_weight_bytes;

  // Bytes of each value of a pixel that convolve's kBfloats reads: 4 where it multiplies floats with widened weights, 2
  // where the processor has products of bfloat16 numbers (`narrow` makes them).
  int bfloat_input_bytes;

  // By Operand; null where the table has none. kWords, kFloats and kBfloats always exist.
  void (*convolve[kOperands])(const ConvCall&);

  // By WinogradKind; functions null where the table has none. kWords4x4 and kWords2x4 always exist.
  WinogradKernels winograd[kWinogradKinds];

  void (*depthwise)(const DepthwiseCall&);
  void (*depthwise_floats)(const DepthwiseCall&);

  void (*widen)(const uint8_t* codes, int64_t count, int16_t* words);
  void (*widen_to_floats)(const uint8_t* codes, int64_t count, float* floats);

  // The upper halves of floats that are bfloat16 numbers.
  void (*narrow)(const float* in, int64_t count, uint16_t* out);

  // Splits each float into three bfloat16 numbers whose sum it is, the first the nearest, the next the nearest to what
  // is left: out[pixel][3][channels].
  void (*split_floats)(const float* in, int64_t pixels, int64_t channels, uint16_t* out);

  // Bits of codes 0..3: bit c of pixel p's plane i goes to planes[i * plane_stride + p * words + c / 32], bit c % 32;
  // words = ceil(channels / 32); sums[p] is the pixel's sum of codes. channels: a multiple of kLanes.
  void (*split_planes)(const uint8_t* codes, int64_t pixels, int64_t channels, int plane_count, uint32_t* planes,
                       int64_t plane_stride, int32_t* sums);

  void (*max_pool)(const MaxPoolCall&, const uint8_t* in, uint8_t* out);
  void (*max_pool_floats)(const MaxPoolCall&, const float* in, float* out);

  // Adds a pixel row to sums: [channels].
  void (*add_pixels)(const uint8_t* in, int64_t pixels, int64_t channels, int32_t* sums);

  // sum over d of in[d] * weights[d]; in[d] >= 0.
  int64_t (*dot)(const int16_t* in, const int8_t* weights, int64_t depth);

  // The same of floats, in any order.
  float (*dot_floats)(const float* in, const float* weights, int64_t depth);

  // Like depthwise, for 3 x 3 taps in three rows of neighbouring pixels, windows one or two pixels apart, and nothing
  // to add; null where the table has none. Weights are DepthwiseChunks of the call's 16 * blocks channels. Of the
  // epilogue only `highest` is used.
  void (*depthwise_3x3)(const DepthwiseCall&);

  // Null where the instruction set has no tiles.
  const TileKernels* tiles = nullptr;
};

// Plain C++ for any machine.
const KernelTable& PortableKernels();

#if defined(__x86_64__)
// AVX2 and FMA.
const KernelTable& Avx2Kernels();

// AVX2, FMA and AVX-VNNI.
const KernelTable& AvxVnniKernels();

// AVX-512 F, BW, DQ, VL and VNNI, and what only some processors with those have.
struct Avx512Extensions {
  bool vector_popcount = false;  // VPOPCNTDQ
  bool bfloat16 = false;         // BF16
};
const KernelTable& Avx512Kernels(const Avx512Extensions& extensions);

// `vectors`, a table of Avx512Kernels, with tiles: AMX-INT8 and AMX-BF16, and GFNI beside AVX-512. The operating system
// must permit the process to use tiles.
KernelTable AmxKernels(const KernelTable& vectors);
#endif

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_KERNEL_TABLE_H_
