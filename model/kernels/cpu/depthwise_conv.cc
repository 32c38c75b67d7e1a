#include "model/kernels/cpu/depthwise_conv.h"

#include <vector>

#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/packed_epilogue.h"
#include "model/kernels/cpu/panel_size.h"

namespace anybit::model {
namespace {

class DepthwiseConv : public ConvLayer {
 public:
  DepthwiseConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps, const ConvWeights& weights)
      : kernels_(kernels),
        node_(node),
        maps_(maps),
        floats_(!weights.floats.empty()),
        blocks_(BlocksFor(node.out.channels)),
        // A table may have a kernel for what most depthwise layers are.
        by_columns_(!floats_ && kernels.depthwise_3x3 != nullptr && node.kernel == 3 && node.stride <= 2 &&
                    !node.has_residual),
        // Two neighbouring pixels of half a chunk are a chunk; two pixels on is then a stride of 2.
        pixels_together_(by_columns_ && node.stride == 1 && blocks_ * kLanes * 2 == kDepthwiseChannels &&
                                 node.out.width % 2 == 0
                             ? 2
                             : 1),
        // Codes take two taps a step.
        taps_(floats_ ? node.depth : RoundUp(node.depth, 2)),
        panel_(PanelBytes()),
        epilogue_(weights, node.relu, 1) {
    for (int64_t t = 0; t < node.depth; ++t) {
      taps_[t] = t / node.kernel * maps.in.row_stride() + t % node.kernel * maps.in.stored_channels;
    }
    by_columns_ ? PackChunks(weights) : PackTaps(weights);
  }

  int64_t panel_bytes() const override { return static_cast<int64_t>(panel_.bytes()); }
  int64_t workspace_bytes() const override { return 0; }
  bool TakesRows() const override { return true; }

  void Run(const ConvImages& images, uint8_t*) const override {
    const auto run = floats_ ? kernels_.depthwise_floats : by_columns_ ? kernels_.depthwise_3x3 : kernels_.depthwise;
    const int64_t bytes = floats_ ? 4 : 1;
    const auto* in = static_cast<const uint8_t*>(images.in);
    const auto* residual = static_cast<const uint8_t*>(images.residual);
    auto* out = static_cast<uint8_t*>(images.out);
    const RowRange& range = images.rows;
    const int64_t end = range.first + range.CountOf(node_.out.height);
    for (int64_t image = 0; image < images.count; ++image) {
      for (int64_t y = range.first; y < end; ++y) {
        const int64_t from = image * maps_.in.image_stride() +
                             maps_.in.at(y * node_.stride - node_.padding - range.in_base, -node_.padding);
        const int64_t add = image * maps_.residual.image_stride() + maps_.residual.at(y - range.residual_base, 0);
        const int64_t to = image * maps_.out.image_stride() + maps_.out.at(y - range.out_base, 0);
        const DepthwiseCall call{.in = in + from * bytes,
                                 .pixels = node_.out.width / pixels_together_,
                                 .in_step = node_.stride * maps_.in.stored_channels * pixels_together_,
                                 .taps = taps_.data(),
                                 .count = static_cast<int>(taps_.size()),
                                 .weights = panel_.data(),
                                 .blocks = blocks_ * pixels_together_,
                                 .epilogue = epilogue_.view(0),
                                 .residual = residual == nullptr ? nullptr : residual + add * bytes,
                                 .residual_step = maps_.residual.stored_channels,
                                 .out = out + to * bytes,
                                 .out_step = maps_.out.stored_channels * pixels_together_};
        run(call);
      }
    }
  }

 private:
  int64_t PanelBytes() const {
    if (by_columns_)
      return RoundUp(node_.out.channels, kDepthwiseChannels) / kDepthwiseChannels * sizeof(DepthwiseChunk);
    return blocks_ * static_cast<int64_t>(taps_.size()) * kLanes * (floats_ ? 4 : 2);
  }

  void PackChunks(const ConvWeights& weights) {
    const Epilogue epilogue = epilogue_.view(0);
    const int64_t stored = blocks_ * kLanes;
    for (int64_t at = 0; at < stored * pixels_together_; ++at) {
      const int64_t o = at % stored;
      DepthwiseChunk& chunk = panel_.as<DepthwiseChunk>()[at / kDepthwiseChannels];
      const int64_t channel = at % kDepthwiseChannels, vector = channel % 16 / 4, lane = channel / 16 * 4 + channel % 4;
      chunk.scale[vector][lane] = epilogue.scale[o];
      chunk.bias[vector][lane] = epilogue.bias[o];
      if (o >= node_.out.channels) continue;
      for (int64_t t = 0; t < node_.depth; ++t) {
        chunk.weights[t % 3][vector][lane * 4 + t / 3] = static_cast<int8_t>(weights.codes[o * node_.depth + t]);
      }
    }
  }

  void PackTaps(const ConvWeights& weights) {
    const PlannedNode& node = node_;
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

  const KernelTable& kernels_;
  const PlannedNode node_;
  const ConvMaps maps_;
  const bool floats_;
  const int blocks_;
  const bool by_columns_;
  const int pixels_together_;
  std::vector<int64_t> taps_;  // a padding tap reads the window's first code, with weight 0
  AlignedBuffer panel_;
  const PackedEpilogue epilogue_;
};

}  // namespace

std::unique_ptr<ConvLayer> PackDepthwiseConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
                                             const ConvWeights& weights) {
  if (maps.in.stored_channels % kLanes != 0) return nullptr;
  return std::make_unique<DepthwiseConv>(kernels, node, maps, weights);
}

}  // namespace anybit::model
