// One network that runs at any of its operating points. Implementations: PackedNetwork (the engine), TorchNetwork.
#ifndef ANYBIT_MODEL_ADAPTIVE_NETWORK_H_
#define ANYBIT_MODEL_ADAPTIVE_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/operating_point.h"

namespace anybit {

class KernelChooser;

// One row of the network's input or output. Inputs are u8 codes, outputs are float32; both are row-major (NHWC).
struct TensorDescription {
  std::string name;
  std::vector<int64_t> shape;  // without the batch dimension, e.g. {32, 32, 1}
  int64_t elements = 0;        // the product of shape
};

struct NetworkDescription {
  std::string name;
  int64_t version = 1;                 // > 0
  TensorDescription input;             // u8
  TensorDescription output;            // float32 logits
  std::vector<std::string> labels;     // one per logit, or empty
  std::vector<OperatingPoint> points;  // 1..64
  std::string checksum;                // of the artifact's file; empty: of none
};

class AdaptiveNetwork {
 public:
  // Working memory of one slot; never shared between concurrent runs.
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };

  virtual ~AdaptiveNetwork() = default;

  virtual const NetworkDescription& description() const = 0;

  // Scratch for batches of up to `max_rows` rows.
  virtual std::unique_ptr<Scratch> MakeScratch(int max_rows) const = 0;

  // Runs input.size() / description().input.elements rows at points[point]. InvalidArgument, naming value and limit,
  // if the point does not exist or the sizes do not fit each other or the scratch. Any thread: weights are immutable.
  virtual absl::Status Run(int point, std::span<const uint8_t> input, std::span<float> output,
                           Scratch& scratch) const = 0;

  // Where the kernels of this network are to choose; null if there is no choice. Lives as long as the network.
  virtual KernelChooser* kernel_chooser() { return nullptr; }
};

// How many rows `inputs` codes and `outputs` logits are. InvalidArgument, naming value and limit, where the point does
// not exist or the sizes are no whole, equal and positive numbers of rows: what every implementation of Run checks
// first.
absl::StatusOr<int64_t> RowsOf(const NetworkDescription& network, int point, size_t inputs, size_t outputs);

}  // namespace anybit

#endif  // ANYBIT_MODEL_ADAPTIVE_NETWORK_H_
