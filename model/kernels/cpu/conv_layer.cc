#include "model/kernels/cpu/conv_layer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/winograd.h"

namespace anybit {
namespace {

struct AlgorithmName {
  ConvAlgorithm algorithm;
  const char* name;
};

constexpr AlgorithmName kNames[kConvAlgorithms] = {
    {ConvAlgorithm::kFloats, "direct_floats"},
    {ConvAlgorithm::kWords, "direct_words"},
    {ConvAlgorithm::kBytes, "direct_bytes"},
    {ConvAlgorithm::kSigns, "direct_signs"},
    {ConvAlgorithm::kDepthwise, "depthwise"},
    {ConvAlgorithm::kWords4x4, "winograd_words_4x4"},
    {ConvAlgorithm::kWords2x4, "winograd_words_2x4"},
    {ConvAlgorithm::kBytes1x4, "winograd_bytes_1x4"},
    {ConvAlgorithm::kBytes2x2, "winograd_bytes_2x2"},
    {ConvAlgorithm::kBytes2x4, "winograd_bytes_2x4"},
    {ConvAlgorithm::kBytes4x4, "winograd_bytes_4x4"},
    {ConvAlgorithm::kWordsStride2_4x4, "winograd_words_stride2_4x4"},
    {ConvAlgorithm::kBytesStride2_2x2, "winograd_bytes_stride2_2x2"},
    {ConvAlgorithm::kBytesStride2_4x4, "winograd_bytes_stride2_4x4"},
};

bool IsWinograd(ConvAlgorithm algorithm) { return algorithm >= ConvAlgorithm::kWords4x4; }

WinogradKind KindOf(ConvAlgorithm algorithm) {
  return static_cast<WinogradKind>(static_cast<int>(algorithm) - static_cast<int>(ConvAlgorithm::kWords4x4));
}

int BlocksFor(int64_t outputs) { return static_cast<int>((outputs + kLanes - 1) / kLanes); }

int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Scale and bias in whole blocks; a padded output computes code 0.
struct PackedEpilogue {
  std::vector<float> scale, bias;
  float residual_scale = 0;
  float highest = 0;
  float lowest = 0;

  PackedEpilogue(const ConvWeights& weights, bool relu, float factor)
      : scale(BlocksFor(weights.scale.size()) * kLanes),
        bias(scale.size()),
        residual_scale(weights.residual_scale),
        highest(static_cast<float>(weights.highest_output)),
        lowest(relu ? 0 : -std::numeric_limits<float>::infinity()) {
    // Exact: a quantized layer's scales are multiples of 48 by few bits (model/format/requantize.h).
    std::transform(weights.scale.begin(), weights.scale.end(), scale.begin(), [&](float s) { return s / factor; });
    std::copy(weights.bias.begin(), weights.bias.end(), bias.begin());
  }

  Epilogue view(int block) const {
    return {.scale = scale.data() + block * kLanes,
            .bias = bias.data() + block * kLanes,
            .residual_scale = residual_scale,
            .highest = highest,
            .lowest = lowest};
  }
};

// ---- Direct

// Output pixels handed to the kernel together: the panel of one block is read once for all of them.
constexpr int kRun = 96;

// Values of each operand that a step takes.
constexpr int ValuesPerStep(Operand operand) {
  switch (operand) {
    case Operand::kBytes: return 4;
    case Operand::kWords: return 2;
    case Operand::kSigns: return 32;
    case Operand::kFloats: return 1;
  }
  return 1;
}

// Enough images to fill runs.
int64_t GroupImages(const PlannedNode& node) { return std::max<int64_t>(1, kRun / (node.out.height * node.out.width)); }

int64_t SignWords(const FeatureMap& map) { return (map.stored_channels + 31) / 32; }
int64_t StoredPixels(const FeatureMap& map) { return map.image_stride() / map.stored_channels; }
int64_t PlaneBytes(const FeatureMap& map) { return StoredPixels(map) * SignWords(map) * 4; }

int64_t DirectWorkspaceBytes(Operand operand, const PlannedNode& node, const FeatureMap& in, int planes) {
  switch (operand) {
    case Operand::kBytes:
    case Operand::kFloats: return 0;
    case Operand::kWords: return GroupImages(node) * in.image_stride() * 2 + 64;
    case Operand::kSigns:
      return GroupImages(node) * (planes * PlaneBytes(in) + StoredPixels(in) * static_cast<int64_t>(sizeof(int32_t))) +
             128;
  }
  return 0;
}

class DirectConv : public ConvLayer {
 public:
  DirectConv(Operand operand, const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
             const ConvWeights& weights, int64_t exact_steps)
      : operand_(operand),
        kernels_(kernels),
        node_(node),
        maps_(maps),
        planes_(operand == Operand::kSigns && weights.highest_input > 1 ? 2 : 1),
        exact_steps_(exact_steps),
        blocks_(BlocksFor(node.out.channels)),
        // Signs run over whole words of each pixel; the others over the pixels of a kernel row without a seam.
        row_steps_(operand == Operand::kSigns ? node.kernel * SignWords(maps.in)
                                              : RoundUp(node.kernel * maps.in.stored_channels, ValuesPerStep(operand)) /
                                                    ValuesPerStep(operand)),
        panel_(blocks_ * node.kernel * row_steps_ * kBlockStepBytes /
               (operand == Operand::kWords ? 2 / kernels.word_weight_bytes : 1)),
        epilogue_(weights, node.relu, 1) {
    const int64_t k = node.kernel, channels = node.in.channels;
    for (int64_t o = 0; o < node.out.channels; ++o) {
      for (int64_t y = 0; y < k; ++y) {
        for (int64_t x = 0; x < k; ++x) {
          for (int64_t c = 0; c < channels; ++c) Place(weights, ((o * k + y) * k + x) * channels + c, o, y, x, c);
        }
      }
    }
  }

  int64_t panel_bytes() const override { return static_cast<int64_t>(panel_.bytes()); }

  int64_t workspace_bytes() const override { return DirectWorkspaceBytes(operand_, node_, maps_.in, planes_); }

  void Run(const ConvImages& images, uint8_t* workspace) const override {
    const int64_t group = GroupImages(node_);
    for (int64_t first = 0; first < images.count; first += group) {
      RunGroup(images, first, std::min(group, images.count - first), workspace);
    }
  }

 private:
  void Place(const ConvWeights& weights, int64_t index, int64_t o, int64_t y, int64_t x, int64_t c) {
    const int64_t lane = o % kLanes, row = (o / kLanes * node_.kernel + y) * row_steps_;
    if (operand_ == Operand::kSigns) {
      if (weights.codes[index] < 0) return;
      panel_.as<uint32_t>()[(row + x * SignWords(maps_.in) + c / 32) * kLanes + lane] |= uint32_t{1} << c % 32;
      return;
    }
    const int per_step = ValuesPerStep(operand_);
    const int64_t d = x * maps_.in.stored_channels + c;
    const int64_t at = ((row + d / per_step) * kLanes + lane) * per_step + d % per_step;
    switch (operand_) {
      case Operand::kBytes: panel_.as<int8_t>()[at] = static_cast<int8_t>(weights.codes[index]); break;
      case Operand::kWords:
        if (kernels_.word_weight_bytes == 1) {
          panel_.as<int8_t>()[at] = static_cast<int8_t>(weights.codes[index]);
        } else {
          panel_.as<int16_t>()[at] = weights.codes[index];
        }
        break;
      case Operand::kFloats: panel_.as<float>()[at] = weights.floats[index]; break;
      case Operand::kSigns: break;
    }
  }

  // What the kernel's windows are read from: the input itself, or a copy in the operand's form.
  struct Windows {
    const uint8_t* base;               // of the group's first image
    int64_t element_bytes;             // per value of a FeatureMap offset; of signs per pixel and word
    int64_t image_stride, row_stride;  // bytes
  };

  Windows Prepare(const ConvImages& images, int64_t first, int64_t count, uint8_t* workspace) const {
    const auto* in = static_cast<const uint8_t*>(images.in);
    const int64_t image = maps_.in.image_stride();
    switch (operand_) {
      case Operand::kBytes:
        return {
            .base = in + first * image, .element_bytes = 1, .image_stride = image, .row_stride = maps_.in.row_stride()};
      case Operand::kFloats:
        return {.base = in + 4 * first * image,
                .element_bytes = 4,
                .image_stride = 4 * image,
                .row_stride = 4 * maps_.in.row_stride()};
      case Operand::kWords:
        kernels_.widen(in + first * image, count * image, reinterpret_cast<int16_t*>(workspace));
        return {
            .base = workspace, .element_bytes = 2, .image_stride = 2 * image, .row_stride = 2 * maps_.in.row_stride()};
      case Operand::kSigns: break;
    }
    kernels_.split_planes(in + first * image, count * StoredPixels(maps_.in), maps_.in.stored_channels, planes_,
                          reinterpret_cast<uint32_t*>(workspace), GroupImages(node_) * PlaneBytes(maps_.in) / 4,
                          PixelSums(workspace));
    return {.base = workspace,
            .element_bytes = 4,
            .image_stride = PlaneBytes(maps_.in),
            .row_stride = maps_.in.row_stride() / maps_.in.stored_channels * SignWords(maps_.in) * 4};
  }

  int32_t* PixelSums(uint8_t* workspace) const {
    return reinterpret_cast<int32_t*>(workspace + RoundUp(planes_ * GroupImages(node_) * PlaneBytes(maps_.in), 64));
  }

  int32_t WindowSum(const int32_t* pixel) const {
    const int64_t row = maps_.in.row_stride() / maps_.in.stored_channels;
    int32_t sum = 0;
    for (int y = 0; y < node_.kernel; ++y) {
      for (int x = 0; x < node_.kernel; ++x) sum += pixel[y * row + x];
    }
    return sum;
  }

  void RunGroup(const ConvImages& images, int64_t first, int64_t count, uint8_t* workspace) const {
    const Windows windows = Prepare(images, first, count, workspace);
    const int64_t width = node_.out.width;
    const int64_t out_bytes = operand_ == Operand::kFloats ? 4 : 1;
    const uint8_t* window[kRun];
    const void* residual[kRun];
    void* output[kRun];
    int32_t window_sum[kRun];
    ConvCall call{.windows = window,
                  .pixels = 0,
                  .rows = node_.kernel,
                  .row_stride = windows.row_stride,
                  .row_steps = row_steps_,
                  .panel = panel_.data(),
                  .blocks = blocks_,
                  .exact_steps = exact_steps_,
                  .planes = planes_,
                  .plane_stride = GroupImages(node_) * PlaneBytes(maps_.in),
                  .window_sums = window_sum,
                  .epilogue = epilogue_.view(0),
                  .residuals = images.residual == nullptr ? nullptr : residual,
                  .outputs = output};
    for (int64_t image = 0; image < count; ++image) {
      const auto* residuals = static_cast<const uint8_t*>(images.residual);
      for (int64_t y = 0; y < node_.out.height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          const int i = call.pixels;
          const int64_t at = maps_.in.at(y * node_.stride - node_.padding, x * node_.stride - node_.padding);
          if (operand_ == Operand::kSigns) {
            const int64_t stored = at / maps_.in.stored_channels;
            window[i] = windows.base + image * windows.image_stride + stored * SignWords(maps_.in) * 4;
            window_sum[i] = WindowSum(PixelSums(workspace) + image * StoredPixels(maps_.in) + stored);
          } else {
            window[i] = windows.base + image * windows.image_stride + at * windows.element_bytes;
          }
          const int64_t to = (first + image) * maps_.out.image_stride() + maps_.out.at(y, x);
          output[i] = static_cast<uint8_t*>(images.out) + to * out_bytes;
          if (residuals != nullptr) {
            const int64_t from = (first + image) * maps_.residual.image_stride() + maps_.residual.at(y, x);
            residual[i] = residuals + from * out_bytes;
          }
          if (++call.pixels == kRun) {
            kernels_.convolve[static_cast<int>(operand_)](call);
            call.pixels = 0;
          }
        }
      }
    }
    if (call.pixels > 0) kernels_.convolve[static_cast<int>(operand_)](call);
  }

  const Operand operand_;
  const KernelTable& kernels_;
  const PlannedNode node_;
  const ConvMaps maps_;
  const int planes_;
  const int64_t exact_steps_;
  const int blocks_;
  const int64_t row_steps_;  // of one kernel row
  AlignedBuffer panel_;      // [blocks][kernel][row_steps][bytes of a step]
  const PackedEpilogue epilogue_;
};

// Steps of byte products that fit 16 bits, summed pair by pair; 0 where not even one does.
int64_t ExactSteps(const ConvWeights& weights) {
  // Pairs are neighbouring channels; the largest neighbours anywhere bound them all, wherever a row's seam falls.
  int largest = 1;
  const auto magnitude = [&](size_t i) { return weights.codes[i] < 0 ? -weights.codes[i] : weights.codes[i]; };
  for (size_t i = 0; i < weights.codes.size(); ++i) largest = std::max(largest, int{magnitude(i)});
  int pair = largest;
  for (size_t i = 1; i < weights.codes.size(); ++i) pair = std::max(pair, magnitude(i - 1) + magnitude(i));
  return 32767 / (int64_t{pair} * weights.highest_input);
}

// ---- Depthwise

class DepthwiseConv : public ConvLayer {
 public:
  DepthwiseConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps, const ConvWeights& weights)
      : kernels_(kernels),
        node_(node),
        maps_(maps),
        floats_(!weights.floats.empty()),
        blocks_(BlocksFor(node.out.channels)),
        // Codes take two taps a step.
        taps_(floats_ ? node.depth : RoundUp(node.depth, 2)),
        panel_(blocks_ * static_cast<int64_t>(taps_.size()) * kLanes * (floats_ ? 4 : 2)),
        epilogue_(weights, node.relu, 1) {
    for (int64_t t = 0; t < node.depth; ++t) {
      taps_[t] = t / node.kernel * maps.in.row_stride() + t % node.kernel * maps.in.stored_channels;
    }
    const auto taps = static_cast<int64_t>(taps_.size());
    for (int64_t o = 0; o < node.out.channels; ++o) {
      const int64_t block = o / kLanes, lane = o % kLanes;
      for (int64_t t = 0; t < node.depth; ++t) {
        if (floats_) {
          panel_.as<float>()[(block * taps + t) * kLanes + lane] = weights.floats[o * node.depth + t];
        } else {
          panel_.as<int16_t>()[((block * taps / 2 + t / 2) * kLanes + lane) * 2 + t % 2] =
              weights.codes[o * node.depth + t];
        }
      }
    }
  }

  int64_t panel_bytes() const override { return static_cast<int64_t>(panel_.bytes()); }
  int64_t workspace_bytes() const override { return 0; }

  void Run(const ConvImages& images, uint8_t*) const override {
    const int64_t bytes = floats_ ? 4 : 1;
    const auto* in = static_cast<const uint8_t*>(images.in);
    const auto* residual = static_cast<const uint8_t*>(images.residual);
    auto* out = static_cast<uint8_t*>(images.out);
    for (int64_t image = 0; image < images.count; ++image) {
      for (int64_t y = 0; y < node_.out.height; ++y) {
        const int64_t from =
            image * maps_.in.image_stride() + maps_.in.at(y * node_.stride - node_.padding, -node_.padding);
        const int64_t add = image * maps_.residual.image_stride() + maps_.residual.at(y, 0);
        const int64_t to = image * maps_.out.image_stride() + maps_.out.at(y, 0);
        const DepthwiseCall call{.in = in + from * bytes,
                                 .pixels = node_.out.width,
                                 .in_step = node_.stride * maps_.in.stored_channels,
                                 .taps = taps_.data(),
                                 .count = static_cast<int>(taps_.size()),
                                 .weights = panel_.data(),
                                 .blocks = blocks_,
                                 .epilogue = epilogue_.view(0),
                                 .residual = residual == nullptr ? nullptr : residual + add * bytes,
                                 .residual_step = maps_.residual.stored_channels,
                                 .out = out + to * bytes,
                                 .out_step = maps_.out.stored_channels};
        floats_ ? kernels_.depthwise_floats(call) : kernels_.depthwise(call);
      }
    }
  }

 private:
  const KernelTable& kernels_;
  const PlannedNode node_;
  const ConvMaps maps_;
  const bool floats_;
  const int blocks_;
  std::vector<int64_t> taps_;  // one too many is read at the window's start, by weight 0
  AlignedBuffer panel_;
  const PackedEpilogue epilogue_;
};

// ---- Winograd

// What of V and M should stay in a second-level cache of 512 KiB, beside a block of U.
constexpr int64_t kTransformBytes = 352 << 10;
constexpr int kFewestTiles = 8, kMostTiles = 48;

// How many tiles are transformed together, and where they lie in the workspace.
struct TileBlocking {
  int tiles = 0;
  int64_t tile_bytes = 0;       // of one tile at one position of V
  int64_t position_stride = 0;  // of V
  int64_t v_bytes = 0;
  int64_t m_tile_stride = 0;
  int64_t m_bytes = 0;  // of one block

  TileBlocking(const KernelTable& kernels, const WinogradShape& shape, int64_t stored_channels)
      : tile_bytes(stored_channels * shape.depth_rows() * shape.value_bytes()),
        m_tile_stride(int64_t{shape.positions()} * kLanes * (kernels.narrow_bytes && !shape.words ? 2 : 4)) {
    const int64_t bytes_of_tile = shape.positions() * tile_bytes + kernels.blocks * m_tile_stride;
    tiles = static_cast<int>(std::clamp<int64_t>(kTransformBytes / bytes_of_tile / 8 * 8, kFewestTiles, kMostTiles));
    // A cache line more, so that positions do not fall into the same sets.
    position_stride = tiles * tile_bytes + 64;
    v_bytes = RoundUp(shape.positions() * position_stride, 64);
    m_bytes = tiles * m_tile_stride;
  }

  int64_t workspace_bytes(const KernelTable& kernels) const { return v_bytes + kernels.blocks * m_bytes; }
};

bool HasTiles(const PlannedNode& node, const WinogradShape& shape) {
  return node.kernel == 3 && node.padding == 1 && node.stride == shape.stride && !node.depthwise;
}

class WinogradConv : public ConvLayer {
 public:
  WinogradConv(WinogradKind kind, const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
               const ConvWeights& weights, WinogradPanel panel)
      : shape_(ShapeOf(kind)),
        table_(kernels),
        kernels_(kernels.winograd[static_cast<int>(kind)]),
        node_(node),
        maps_(maps),
        panel_(std::move(panel)),
        epilogue_(weights, node.relu, panel_.factor),
        tile_rows_((node.out.height + shape_.out_rows - 1) / shape_.out_rows),
        tile_cols_((node.out.width + shape_.out_cols - 1) / shape_.out_cols),
        blocking_(kernels, shape_, maps.in.stored_channels) {}

  int64_t panel_bytes() const override { return static_cast<int64_t>(panel_.u.bytes()); }
  int64_t workspace_bytes() const override { return blocking_.workspace_bytes(table_); }

  void Run(const ConvImages& images, uint8_t* workspace) const override {
    const int64_t total = images.count * tile_rows_ * tile_cols_;
    // As even as they get: a last group of few tiles would fill few accumulators.
    const int64_t groups = (total + blocking_.tiles - 1) / blocking_.tiles;
    for (int64_t group = 0, first = 0; group < groups; ++group) {
      const int64_t end = total * (group + 1) / groups;
      RunTiles(images, first, static_cast<int>(end - first), workspace);
      first = end;
    }
  }

 private:
  void RunTiles(const ConvImages& images, int64_t first, int count, uint8_t* workspace) const {
    const uint8_t* tiles[kMostTiles];
    uint8_t* outputs[kMostTiles];
    const uint8_t* residuals[kMostTiles];
    TileExtent extents[kMostTiles];
    for (int i = 0; i < count; ++i) {
      const int64_t tile = first + i, image = tile / (tile_rows_ * tile_cols_),
                    in_image = tile % (tile_rows_ * tile_cols_);
      const int64_t y = in_image / tile_cols_ * shape_.out_rows, x = in_image % tile_cols_ * shape_.out_cols;
      tiles[i] = static_cast<const uint8_t*>(images.in) + image * maps_.in.image_stride() +
                 maps_.in.at(y * shape_.stride - 1, x * shape_.stride - 1);
      outputs[i] = static_cast<uint8_t*>(images.out) + image * maps_.out.image_stride() + maps_.out.at(y, x);
      if (images.residual != nullptr) {
        residuals[i] = static_cast<const uint8_t*>(images.residual) + image * maps_.residual.image_stride() +
                       maps_.residual.at(y, x);
      }
      extents[i] = {.rows = static_cast<uint8_t>(std::min<int64_t>(shape_.out_rows, node_.out.height - y)),
                    .cols = static_cast<uint8_t>(std::min<int64_t>(shape_.out_cols, node_.out.width - x))};
    }
    kernels_.transform_input({.tiles = tiles,
                              .count = count,
                              .row_stride = maps_.in.row_stride(),
                              .channels = maps_.in.stored_channels,
                              .offset = panel_.offset,
                              .corner_offset = panel_.corner_offset,
                              .v = workspace,
                              .position_stride = blocking_.position_stride,
                              .tile_stride = blocking_.tile_bytes});
    uint8_t* m = workspace + blocking_.v_bytes;
    for (int block = 0; block < panel_.blocks; block += table_.blocks) {
      const int blocks = std::min(table_.blocks, panel_.blocks - block);
      Multiply(workspace, count, block, blocks, m);
      for (int b = 0; b < blocks; ++b) {
        const int64_t lane = int64_t{block + b} * kLanes;
        for (int i = 0; i < count; ++i) {
          outputs[i] += lane;
          residuals[i] = images.residual == nullptr ? nullptr : residuals[i] + lane;
        }
        kernels_.transform_output({.m = m + b * blocking_.m_bytes,
                                   .m_tile_stride = blocking_.m_tile_stride,
                                   .count = count,
                                   .centers = panel_.centers.empty() ? nullptr : panel_.centers.data() + lane,
                                   .low_centers = panel_.centers.empty() ? nullptr : panel_.low_centers.data() + lane,
                                   .epilogue = epilogue_.view(block + b),
                                   .extents = extents,
                                   .residuals = images.residual == nullptr ? nullptr : residuals,
                                   .residual_row_stride = maps_.residual.row_stride(),
                                   .residual_pixel_stride = maps_.residual.stored_channels,
                                   .outputs = outputs,
                                   .row_stride = maps_.out.row_stride(),
                                   .pixel_stride = maps_.out.stored_channels});
        for (int i = 0; i < count; ++i) {
          outputs[i] -= lane;
          residuals[i] = images.residual == nullptr ? nullptr : residuals[i] - lane;
        }
      }
    }
  }

  void Multiply(const uint8_t* v, int count, int block, int blocks, uint8_t* m) const {
    const int64_t position_bytes = panel_.steps * kBlockStepBytes;
    for (int p = 0; p < shape_.positions(); ++p) {
      const int32_t* init =
          panel_.init.empty() ? nullptr : panel_.init.data() + (int64_t{p} * panel_.blocks + block) * kLanes;
      kernels_.multiply({.v = v + p * blocking_.position_stride,
                         .tile_stride = blocking_.tile_bytes,
                         .tiles = count,
                         .steps = panel_.steps,
                         .u = panel_.u.data() + (int64_t{block} * shape_.positions() + p) * position_bytes,
                         .u_stride = shape_.positions() * position_bytes,
                         .blocks = blocks,
                         .init = init,
                         .init_stride = kLanes,
                         .m = m + p * (blocking_.m_tile_stride / shape_.positions()),
                         .m_tile_stride = blocking_.m_tile_stride,
                         .m_stride = blocking_.m_bytes});
    }
  }

  const WinogradShape shape_;
  const KernelTable& table_;
  const WinogradKernels kernels_;
  const PlannedNode node_;
  const ConvMaps maps_;
  const WinogradPanel panel_;
  const PackedEpilogue epilogue_;
  const int64_t tile_rows_, tile_cols_;
  const TileBlocking blocking_;
};

}  // namespace

const char* NameOf(ConvAlgorithm algorithm) { return kNames[static_cast<int>(algorithm)].name; }

std::optional<ConvAlgorithm> ConvAlgorithmByName(absl::string_view name) {
  for (const AlgorithmName& known : kNames) {
    if (name == known.name) return known.algorithm;
  }
  return std::nullopt;
}

Border BorderFor(const PlannedNode& node) {
  // Tiles of 4 x 4 outputs may hang over the map's end; their windows reach one input row and column further.
  const auto beyond = [&](int64_t in, int64_t out) { return (RoundUp(out, 4) - 1) * node.stride + 2 - in; };
  int64_t after = node.padding;
  if (node.kernel == 3 && node.padding == 1 && node.stride <= 2 && !node.depthwise) {
    after = std::max({after, beyond(node.in.height, node.out.height), beyond(node.in.width, node.out.width)});
  }
  return {.before = node.padding, .after = after};
}

int64_t MostWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps) {
  if (node.depthwise) return 0;
  int64_t bytes = 0;
  for (Operand operand : {Operand::kWords, Operand::kSigns}) {
    bytes = std::max(bytes, DirectWorkspaceBytes(operand, node, maps.in, 2));
  }
  for (int kind = 0; kind < kWinogradKinds; ++kind) {
    if (!HasTiles(node, ShapeOf(static_cast<WinogradKind>(kind)))) continue;
    const TileBlocking blocking(kernels, ShapeOf(static_cast<WinogradKind>(kind)), maps.in.stored_channels);
    bytes = std::max(bytes, blocking.workspace_bytes(kernels));
  }
  return bytes;
}

std::unique_ptr<ConvLayer> PackConv(ConvAlgorithm algorithm, const KernelTable& kernels, const PlannedNode& node,
                                    const ConvMaps& maps, const ConvWeights& weights) {
  const bool full_precision = !weights.floats.empty();
  if (full_precision != (algorithm == ConvAlgorithm::kFloats)) return nullptr;
  if (node.depthwise != (algorithm == ConvAlgorithm::kDepthwise) && !(node.depthwise && full_precision)) return nullptr;
  if (node.depthwise) {
    if (maps.in.stored_channels % kLanes != 0) return nullptr;
    return std::make_unique<DepthwiseConv>(kernels, node, maps, weights);
  }
  if (IsWinograd(algorithm)) {
    const WinogradKind kind = KindOf(algorithm);
    if (!HasTiles(node, ShapeOf(kind))) return nullptr;
    if (maps.in.stored_channels % kLanes != 0) return nullptr;
    if (kernels.winograd[static_cast<int>(kind)].multiply == nullptr) return nullptr;
    std::optional<WinogradPanel> panel = PackWinograd(kind, kernels.narrow_bytes, weights.codes, node.out.channels,
                                                      node.in.channels, maps.in.stored_channels, weights.highest_input);
    if (!panel.has_value()) return nullptr;
    return std::make_unique<WinogradConv>(kind, kernels, node, maps, weights, *std::move(panel));
  }
  const Operand operand = algorithm == ConvAlgorithm::kFloats  ? Operand::kFloats
                          : algorithm == ConvAlgorithm::kWords ? Operand::kWords
                          : algorithm == ConvAlgorithm::kBytes ? Operand::kBytes
                                                               : Operand::kSigns;
  if (kernels.convolve[static_cast<int>(operand)] == nullptr) return nullptr;
  if (operand == Operand::kSigns) {
    if (!weights.signs || weights.highest_input > 3 || maps.in.stored_channels % kLanes != 0) return nullptr;
  }
  int64_t exact_steps = 1;
  if (operand == Operand::kBytes && kernels.narrow_bytes) {
    exact_steps = ExactSteps(weights);
    if (exact_steps == 0) return nullptr;
  }
  return std::make_unique<DirectConv>(operand, kernels, node, maps, weights, exact_steps);
}

double GuessedCost(ConvAlgorithm algorithm, const KernelTable& kernels, const PlannedNode& node, int64_t images) {
  // A direct product of words costs 1; bytes half of that, signs an eighth.
  const bool bytes_help = !kernels.narrow_bytes;
  switch (algorithm) {
    case ConvAlgorithm::kFloats:
    case ConvAlgorithm::kDepthwise:
    case ConvAlgorithm::kWords: return 1;
    case ConvAlgorithm::kBytes: return bytes_help ? 0.5 : 0.55;
    case ConvAlgorithm::kSigns: return bytes_help ? 0.11 : 0.3;
    default: break;
  }
  const WinogradShape shape = ShapeOf(KindOf(algorithm));
  const int64_t tile_rows = (node.out.height + shape.out_rows - 1) / shape.out_rows;
  const int64_t tile_cols = (node.out.width + shape.out_cols - 1) / shape.out_cols;
  const double products = static_cast<double>(shape.positions() * shape.depth_rows() * tile_rows * tile_cols) /
                          static_cast<double>(9 * node.out.height * node.out.width);
  const double transforms = 8.0 / static_cast<double>(std::min(node.in.channels, node.out.channels));
  const double few_tiles = 1.0 / static_cast<double>(images * tile_rows * tile_cols);
  return (shape.words ? 1.0 : 0.5) * products * (1 + transforms + few_tiles);
}

}  // namespace anybit
