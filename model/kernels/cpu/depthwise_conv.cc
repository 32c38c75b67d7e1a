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
