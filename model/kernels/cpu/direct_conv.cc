#include "model/kernels/cpu/direct_conv.h"

#include <algorithm>

#include "model/format/bfloat16.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/packed_epilogue.h"
#include "model/kernels/cpu/panel_size.h"

namespace anybit::model {
namespace {

// Output pixels of one kernel call: the panel of a block is read once for all of them. Bounds the pointer tables on the
// stack.
constexpr int kPixelsPerCall = kMaxCallPixels;
// Whole groups of pixels on every instruction set.
constexpr int kPixelMultiple = 24;

// Values of each operand that a step takes.
constexpr int ValuesPerStep(Operand operand) {
  switch (operand) {
    case Operand::kBytes: return 4;
    case Operand::kWords: return 2;
    case Operand::kSigns: return 32;
    case Operand::kFloats: return 1;
    case Operand::kBfloats: return 2;
  }
  return 1;
}

bool IsFloat(Operand operand) { return operand == Operand::kFloats || operand == Operand::kBfloats; }

// Images converted together: enough to fill a kernel call.
int64_t GroupImages(const PlannedNode& node) {
  return std::max<int64_t>(1, kPixelsPerCall / (node.out.height * node.out.width));
}

int64_t SignWords(const FeatureMap& map) { return (map.stored_channels + 31) / 32; }
int64_t StoredPixels(const FeatureMap& map) { return map.image_stride() / map.stored_channels; }
int64_t PlaneBytes(const FeatureMap& map) { return StoredPixels(map) * SignWords(map) * 4; }

// ---- Input

// The form in which kernels read the input: bytes and floats in place; words, sign planes and bfloat16 numbers as a
// copy of one group of images in the workspace.
class DirectInput {
 public:
  // Where the windows of one group of images start.
  struct Windows {
    const uint8_t* base;                             // of the group's first image
    int64_t image_stride, row_stride, pixel_stride;  // bytes
    int64_t stored_channels;

    // Where the window starts whose first value is `offset` elements from its image's.
    const uint8_t* At(int64_t image, int64_t offset) const {
      return base + image * image_stride + offset / stored_channels * pixel_stride;
    }
  };

  DirectInput(Operand operand, const KernelTable& kernels, const PlannedNode& node, const FeatureMap& map, int planes)
      : operand_(operand),
        narrow_bfloats_(kernels.bfloat_input_bytes == 2),
        map_(map),
        kernel_(node.kernel),
        images_(GroupImages(node)),
        planes_(planes) {}

  int planes() const { return planes_; }
  int64_t plane_stride() const { return images_ * PlaneBytes(map_); }

  int64_t workspace_bytes() const {
    switch (operand_) {
      case Operand::kBytes:
      case Operand::kFloats: return 0;
      case Operand::kBfloats: return narrow_bfloats_ ? images_ * map_.image_stride() * 2 + 64 : 0;
      case Operand::kWords: return images_ * map_.image_stride() * 2 + 64;
      case Operand::kSigns:
        return images_ * (planes_ * PlaneBytes(map_) + StoredPixels(map_) * static_cast<int64_t>(sizeof(int32_t))) +
               128;
    }
    return 0;
  }

  // The values of some images, or of some rows of one, that windows read.
  struct Part {
    int64_t first, values;  // elements, from image `first` of Prepare on
  };

  Windows Prepare(const KernelTable& kernels, const void* images, int64_t first, const Part& part,
                  uint8_t* workspace) const {
    const auto* in = static_cast<const uint8_t*>(images);
    const int64_t image = map_.image_stride(), from = first * image + part.first;
    switch (operand_) {
      case Operand::kBytes: return WindowsAt(in + first * image, map_.stored_channels);
      case Operand::kFloats: return WindowsAt(in + 4 * first * image, 4 * map_.stored_channels);
      case Operand::kBfloats:
        if (!narrow_bfloats_) return WindowsAt(in + 4 * first * image, 4 * map_.stored_channels);
        kernels.narrow(static_cast<const float*>(images) + from, part.values,
                       reinterpret_cast<uint16_t*>(workspace) + part.first);
        return WindowsAt(workspace, 2 * map_.stored_channels);
      case Operand::kWords:
        kernels.widen(in + from, part.values, reinterpret_cast<int16_t*>(workspace) + part.first);
        return WindowsAt(workspace, 2 * map_.stored_channels);
      case Operand::kSigns: break;
    }
    const int64_t pixel = part.first / map_.stored_channels;
    kernels.split_planes(in + from, part.values / map_.stored_channels, map_.stored_channels, planes_,
                         reinterpret_cast<uint32_t*>(workspace) + pixel * SignWords(map_), plane_stride() / 4,
                         reinterpret_cast<int32_t*>(workspace + sums_offset()) + pixel);
    return WindowsAt(workspace, SignWords(map_) * 4);
  }

  // The sum of the codes in the window that starts at stored pixel `pixel` of image `image`. Signs only.
  int32_t WindowSum(const uint8_t* workspace, int64_t image, int64_t pixel) const {
    const auto* sums = reinterpret_cast<const int32_t*>(workspace + sums_offset());
    const int32_t* first = sums + image * StoredPixels(map_) + pixel;
    const int64_t row = map_.row_stride() / map_.stored_channels;
    int32_t sum = 0;
    for (int y = 0; y < kernel_; ++y) {
      for (int x = 0; x < kernel_; ++x) sum += first[y * row + x];
    }
    return sum;
  }

 private:
  Windows WindowsAt(const uint8_t* base, int64_t pixel_stride) const {
    return {.base = base,
            .image_stride = StoredPixels(map_) * pixel_stride,
            .row_stride = map_.row_stride() / map_.stored_channels * pixel_stride,
            .pixel_stride = pixel_stride,
            .stored_channels = map_.stored_channels};
  }

  // Of the pixels' sums, after the planes.
  int64_t sums_offset() const { return RoundUp(planes_ * plane_stride(), 64); }

  const Operand operand_;
  const bool narrow_bfloats_;
  const FeatureMap map_;
  const int kernel_;
  const int64_t images_;  // of a group
  const int planes_;      // of signs
};

// ---- Panel

// Steps of one kernel row. Signs run over whole words of each pixel; other operands over a row's pixels without gaps.
int64_t RowSteps(Operand operand, const PlannedNode& node, const FeatureMap& in) {
  if (operand == Operand::kSigns) return node.kernel * SignWords(in);
  const int per_step = ValuesPerStep(operand);
  return RoundUp(node.kernel * in.stored_channels, per_step) / per_step;
}

// [blocks][kernel][row steps][bytes of a step].
class DirectPanel {
 public:
  DirectPanel(Operand operand, const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in,
              const ConvWeights& weights)
      : operand_(operand),
        word_weight_bytes_(kernels.word_weight_bytes),
        in_(in),
        kernel_(node.kernel),
        row_steps_(RowSteps(operand, node, in)),
        bytes_(BlocksFor(node.out.channels) * kernel_ * row_steps_ * kBlockStepBytes /
               (operand == Operand::kWords ? 2 / kernels.word_weight_bytes : 1)) {
    const int64_t channels = node.in.channels;
    for (int64_t o = 0; o < node.out.channels; ++o) {
      for (int64_t y = 0; y < kernel_; ++y) {
        for (int64_t x = 0; x < kernel_; ++x) {
          for (int64_t c = 0; c < channels; ++c) {
            Place(weights, ((o * kernel_ + y) * kernel_ + x) * channels + c, o, y, x, c);
          }
        }
      }
    }
  }

  const uint8_t* data() const { return bytes_.data(); }
  int64_t bytes() const { return static_cast<int64_t>(bytes_.bytes()); }
  int64_t row_steps() const { return row_steps_; }

 private:
  void Place(const ConvWeights& weights, int64_t index, int64_t o, int64_t y, int64_t x, int64_t c) {
    const int64_t lane = o % kLanes, row = (o / kLanes * kernel_ + y) * row_steps_;
    if (operand_ == Operand::kSigns) {
      if (weights.codes[index] < 0) return;
      bytes_.as<uint32_t>()[(row + x * SignWords(in_) + c / 32) * kLanes + lane] |= uint32_t{1} << c % 32;
      return;
    }
    const int per_step = ValuesPerStep(operand_);
    const int64_t d = x * in_.stored_channels + c;
    const int64_t at = ((row + d / per_step) * kLanes + lane) * per_step + d % per_step;
    switch (operand_) {
      case Operand::kBytes: bytes_.as<int8_t>()[at] = static_cast<int8_t>(weights.codes[index]); break;
      case Operand::kWords:
        if (word_weight_bytes_ == 1) {
          bytes_.as<int8_t>()[at] = static_cast<int8_t>(weights.codes[index]);
        } else {
          bytes_.as<int16_t>()[at] = weights.codes[index];
        }
        break;
      case Operand::kFloats: bytes_.as<float>()[at] = weights.floats[index]; break;
      case Operand::kBfloats: bytes_.as<uint16_t>()[at] = NearestBfloat16(weights.floats[index]); break;
      case Operand::kSigns: break;
    }
  }

  const Operand operand_;
  const int word_weight_bytes_;
  const FeatureMap in_;
  const int64_t kernel_;
  const int64_t row_steps_;
  AlignedBuffer bytes_;
};

// ---- Running

class DirectConv : public ConvLayer {
 public:
  DirectConv(Operand operand, const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
             const ConvWeights& weights, int64_t exact_steps)
      : operand_(operand),
        kernels_(kernels),
        node_(node),
        maps_(maps),
        input_(operand, kernels, node, maps.in, operand == Operand::kSigns && weights.highest_input > 1 ? 2 : 1),
        panel_(operand, kernels, node, maps.in, weights),
        epilogue_(weights, node.relu, 1),
        exact_steps_(exact_steps) {}

  int64_t panel_bytes() const override { return panel_.bytes(); }
  int64_t workspace_bytes() const override { return input_.workspace_bytes(); }
  bool TakesRows() const override { return true; }

  void Run(const ConvImages& images, uint8_t* workspace) const override {
    const int64_t group = GroupImages(node_);
    for (int64_t first = 0; first < images.count; first += group) {
      RunGroup(images, first, std::min(group, images.count - first), workspace);
    }
  }

 private:
  // What a kernel call is told of each pixel.
  struct Pixels {
    const uint8_t* windows[kPixelsPerCall];
    const void* residuals[kPixelsPerCall];
    void* outputs[kPixelsPerCall];
    int32_t window_sums[kPixelsPerCall];
  };

  // Calls of nearly equal size, of whole groups of accumulators: a last call of few pixels would leave some unused.
  static int PixelsOfCalls(int64_t pixels) {
    const int64_t calls = (pixels + kPixelsPerCall - 1) / kPixelsPerCall;
    return static_cast<int>(std::min<int64_t>(kPixelsPerCall, RoundUp((pixels + calls - 1) / calls, kPixelMultiple)));
  }

  // Neighbouring outputs that a kernel may compute together (ConvCall::run), or 0.
  int RunLength() const {
    const bool whole_steps = maps_.in.stored_channels % kLanes == 0;
    if (node_.kernel != 3 || node_.stride != 1 || !whole_steps || BlocksFor(node_.out.channels) > 2) return 0;
    int64_t parts = 1;
    while (node_.out.width % parts != 0 || node_.out.width / parts > kPixelsPerCall) ++parts;
    return static_cast<int>(node_.out.width / parts);
  }

  // What the windows of some rows of outputs read.
  DirectInput::Part PartFor(const RowRange& rows, int64_t images) const {
    if (rows.count < 0) return {.first = 0, .values = images * maps_.in.image_stride()};
    const int64_t from = rows.first * node_.stride - node_.padding - rows.in_base;
    return {.first = maps_.in.at(from, -maps_.in.before),
            .values = ((rows.count - 1) * node_.stride + node_.kernel) * maps_.in.row_stride()};
  }

  void RunGroup(const ConvImages& images, int64_t first, int64_t count, uint8_t* workspace) const {
    const RowRange& range = images.rows;
    const DirectInput::Windows windows = input_.Prepare(kernels_, images.in, first, PartFor(range, count), workspace);
    const int64_t out_bytes = IsFloat(operand_) ? 4 : 1, rows = range.CountOf(node_.out.height);
    const int run = RunLength();
    const int pixels_of_call = run > 1 ? kPixelsPerCall / run * run : PixelsOfCalls(count * rows * node_.out.width);
    const auto* residuals = static_cast<const uint8_t*>(images.residual);
    Pixels pixels;
    ConvCall call{.windows = pixels.windows,
                  .pixels = 0,
                  .rows = node_.kernel,
                  .row_stride = windows.row_stride,
                  .row_steps = panel_.row_steps(),
                  .panel = panel_.data(),
                  .blocks = BlocksFor(node_.out.channels),
                  .exact_steps = exact_steps_,
                  .planes = input_.planes(),
                  .plane_stride = input_.plane_stride(),
                  .window_sums = pixels.window_sums,
                  .epilogue = epilogue_.view(0),
                  .residuals = residuals == nullptr ? nullptr : pixels.residuals,
                  .outputs = pixels.outputs,
                  .run = run};
    for (int64_t image = 0; image < count; ++image) {
      for (int64_t y = range.first; y < range.first + rows; ++y) {
        const int64_t corner = maps_.in.at(y * node_.stride - node_.padding - range.in_base, -node_.padding);
        const uint8_t* window = windows.At(image, corner);
        const int64_t to = (first + image) * maps_.out.image_stride() + maps_.out.at(y - range.out_base, 0);
        auto* output = static_cast<uint8_t*>(images.out) + to * out_bytes;
        const int64_t from =
            (first + image) * maps_.residual.image_stride() + maps_.residual.at(y - range.residual_base, 0);
        const uint8_t* residual = residuals == nullptr ? nullptr : residuals + from * out_bytes;
        for (int64_t x = 0; x < node_.out.width; ++x) {
          const int i = call.pixels;
          pixels.windows[i] = window + x * node_.stride * windows.pixel_stride;
          pixels.outputs[i] = output + x * maps_.out.stored_channels * out_bytes;
          if (residual != nullptr) pixels.residuals[i] = residual + x * maps_.residual.stored_channels * out_bytes;
          if (operand_ == Operand::kSigns) {
            const int64_t pixel = corner / maps_.in.stored_channels + x * node_.stride;
            pixels.window_sums[i] = input_.WindowSum(workspace, image, pixel);
          }
          if (++call.pixels == pixels_of_call) {
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
  const DirectInput input_;
  const DirectPanel panel_;
  const PackedEpilogue epilogue_;
  const int64_t exact_steps_;  // as in ConvCall
};

// Steps of byte products whose sum, pair by pair of weights, fits 16 bits; 0 where one step does not.
int64_t ExactSteps(const ConvWeights& weights) {
  // Pairs are neighbouring channels. The largest neighbours anywhere bound all pairs, wherever a row's gap falls.
  int largest = 1;
  const auto magnitude = [&](size_t i) { return weights.codes[i] < 0 ? -weights.codes[i] : weights.codes[i]; };
  for (size_t i = 0; i < weights.codes.size(); ++i) largest = std::max(largest, int{magnitude(i)});
  int pair = largest;
  for (size_t i = 1; i < weights.codes.size(); ++i) pair = std::max(pair, magnitude(i - 1) + magnitude(i));
  return 32767 / (int64_t{pair} * weights.highest_input);
}

}  // namespace

std::unique_ptr<ConvLayer> PackDirectConv(Operand operand, const KernelTable& kernels, const PlannedNode& node,
                                          const ConvMaps& maps, const ConvWeights& weights) {
  if (kernels.convolve[static_cast<int>(operand)] == nullptr) return nullptr;
  if (IsFloat(operand) == weights.floats.empty() || (operand == Operand::kBfloats && !weights.bfloat16)) return nullptr;
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

int64_t MaxDirectWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in) {
  int64_t bytes = 0;
  for (int operand = 0; operand < kOperands; ++operand) {
    bytes = std::max(bytes, DirectInput(static_cast<Operand>(operand), kernels, node, in, 2).workspace_bytes());
  }
  return bytes;
}

}  // namespace anybit::model
