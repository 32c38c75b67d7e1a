// A float ResNet trained elsewhere becomes an artifact with one operating point, fp32; and back.
//
// Tensors are found by name: those of torchvision's and timm's ResNets (conv1, bn1, layer1.0.conv1,
// layer1.0.downsample.0, fc, ...; "shortcut" and "linear" of many CIFAR ones as well), behind any number of the names
// that wrappers put before them ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "state_dict."),
// for networks whose nodes are named as model/arch names them, with shortcuts without ReLU as theirs are. Batch norm
// folds into scales and biases. So does the normalisation of the input, with one exception: outside the image the
// float network pads with its mean, ours with code 0 (black). Where the mean is not 0, the first convolution's
// outputs at the border differ; those inside are the same.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_IMPORT_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_IMPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/format/safetensors.h"

namespace anybit {

// What the float network was fed: (code / 255 - mean) / deviation.
struct InputNormalisation {
  std::vector<float> mean;       // one per channel, or one for all, or none: 0
  std::vector<float> deviation;  // likewise, > 0; none: 1

  // Of `channel`.
  float MeanOf(size_t channel) const { return Of(mean, channel, 0); }
  float DeviationOf(size_t channel) const { return Of(deviation, channel, 1); }

 private:
  static float Of(const std::vector<float>& values, size_t channel, float none) {
    return values.empty() ? none : values[values.size() == 1 ? 0 : channel];
  }
};

struct FloatNetwork {
  Artifact artifact;
  std::string unneeded;  // the file's tensors that are not in it, as one line; empty: all are
};

// The artifact of `spec` with the weights of `file`, which are F16, BF16, F32 or F64. Its accuracy is 0, its store the
// weights rounded to the nearest. InvalidArgument, listing what is missing, unexpected or of another shape, where names
// or shapes do not fit; for two tensors that have one name without their wrappers'; and for a network with a ReLU
// behind its shortcuts' convolutions, unless the file is an export of such a one. Unexpected are numbers of a layer,
// which would compute something with them: a bias, another block. Counters, masks and what lies beside the network are
// unneeded.
absl::StatusOr<FloatNetwork> ImportFloatNetwork(const TensorFile& file, const NetworkSpec& spec,
                                                const InputNormalisation& normalisation, double norm_epsilon = 1e-5);

// The fp32 point of `artifact` as a safetensors file in torchvision's names, for inputs code / 255. Scales and biases
// stand as batch norm of mean 0 and variance 1. InvalidArgument for an artifact without one, or with nodes it has no
// names for.
absl::StatusOr<std::string> ExportFloatNetwork(const Artifact& artifact, double norm_epsilon = 1e-5);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_IMPORT_H_
