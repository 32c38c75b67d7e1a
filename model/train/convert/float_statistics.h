// The statistics of a full-precision point on sample images, which quantized points are given.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_STATISTICS_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_STATISTICS_H_

#include <cstdint>
#include <vector>

#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/train/convert/channel_offsets.h"
#include "model/train/convert/tensor_operators.h"

namespace anybit::model::train {

struct FloatStatistics {
  // By channel: the values of one layer before its addition and its ReLU; of the last layer, its logits.
  struct Layer {
    std::vector<double> mean, deviation;
    std::vector<bool> falls;  // the value falls as the layer's sum rises
    // Of what one output reads (joint_rounding.h); empty: not measured.
    std::vector<float> input_moments;
  };

  std::vector<Layer> layers;
  std::vector<ChannelExtents> extents;  // by layer: of its output, after addition and activation; of the last empty
  // By layer: its output, after addition and ReLU, on the first few rows. [rows, C, H, W], of the last [rows, classes].
  std::vector<torch::Tensor> samples;
  std::vector<float> logits;  // [rows, classes]
};

// Runs `point`, a full-precision point of `artifact`, on `images`. The first convolution pads with `border` (see
// WithBorder). The moments of inputs are measured at about `moment_places` outputs. LibTorch's exceptions pass.
FloatStatistics MeasureFloatPoint(const NetworkPlan& plan, const Artifact& artifact, const ArtifactPoint& point,
                                  const Chunks& images, const std::vector<float>& border, int64_t moment_places);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_STATISTICS_H_
