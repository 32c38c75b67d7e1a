// Makes an artifact with one operating point, fp32, from a float ResNet that was trained elsewhere.
//
// Tensors are found by name: the names of torchvision's and timm's ResNets (conv1, bn1, layer1.0.conv1,
// layer1.0.downsample.0, fc, ...; "shortcut" and "linear" of many CIFAR networks as well), after any number of wrapper
// prefixes ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "state_dict."). The nodes of the
// network must have the names of model/arch, and its shortcuts must have no ReLU, as in those networks.
//
// Batch norm and the normalisation of the input fold into scales and biases, with one exception: outside the image the
// float network pads with its mean, ours with code 0 (black). Where the mean is not 0, outputs of the first convolution
// at the border differ; all others are the same.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_IMPORT_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_IMPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/format/safetensors.h"

namespace anybit::model::train {

// The input of the float network: (code / 255 - mean) / deviation.
struct InputNormalisation {
  std::vector<float> mean;       // one per channel, or one for all; empty: 0
  std::vector<float> deviation;  // > 0, one per channel, or one for all; empty: 1

  float MeanOf(size_t channel) const { return Of(mean, channel, 0); }
  float DeviationOf(size_t channel) const { return Of(deviation, channel, 1); }

 private:
  static float Of(const std::vector<float>& values, size_t channel, float none) {
    return values.empty() ? none : values[values.size() == 1 ? 0 : channel];
  }
};

struct FloatNetwork {
  Artifact artifact;
  std::string unneeded;  // tensors of the file that the network does not need, on one line; empty: there are none
};

// The artifact of `spec` with the weights of `file`, which are F16, BF16, F32 or F64. Its accuracy is 0, and its store
// has the weights rounded to the nearest code. InvalidArgument
// - with all tensors that are missing, unexpected or of another shape. A tensor is unexpected if a ResNet would compute
//   with it, such as a bias or another block; counters, masks and tensors beside the network are only unneeded;
// - for two tensors with the same name without wrappers;
// - for a network with a ReLU after its shortcuts' convolutions, unless ExportFloatNetwork wrote the file.
absl::StatusOr<FloatNetwork> ImportFloatNetwork(const TensorFile& file, const NetworkSpec& spec,
                                                const InputNormalisation& normalisation, double norm_epsilon = 1e-5);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_IMPORT_H_
