// The engine: an artifact run by one instruction set's kernels, layer by layer, at any operating point.
//
// Panels (kernel-shaped copies of the weights) are derived from the int8 store when a point is first used, and dropped,
// the least recently used point's first, where they exceed a budget; to switch points is to follow another pointer.
// Integers equal the contract of model/quant to the last one, whichever algorithms are chosen; a row's result does not
// depend on the rows beside it.
#ifndef ANYBIT_MODEL_ENGINE_PACKED_NETWORK_H_
#define ANYBIT_MODEL_ENGINE_PACKED_NETWORK_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "model/engine/kernel_chooser.h"
#include "model/engine/layer_trace.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit {

struct PackedNetworkOptions {
  // Threads that one Run uses, 1..64: its rows are split among them. A scratch keeps the others, which inherit the
  // processors that the thread making it may run on.
  int threads = 1;
  // Bytes of panels to keep. One point's are kept whatever they take.
  int64_t panel_budget = int64_t{1} << 30;
  // Bytes of activations that each thread may hold; those of one row it holds whatever they take. More rows run one
  // group after the other.
  int64_t activation_budget = int64_t{256} << 20;
};

class PackedNetwork : public AdaptiveNetwork, public KernelChooser {
 public:
  // `kernels` must outlive the network. InvalidArgument unless `artifact` and `options` are valid.
  static absl::StatusOr<std::unique_ptr<PackedNetwork>> Create(Artifact artifact, const KernelTable& kernels,
                                                               const PackedNetworkOptions& options = {});

  // Like Run at a quantized point, and records what each node computed.
  virtual absl::StatusOr<LayerTrace> Trace(int point, std::span<const uint8_t> input) const = 0;

  KernelChooser* kernel_chooser() final { return this; }

  // Bytes of the panels kept now.
  virtual int64_t panel_bytes() const = 0;
};

}  // namespace anybit

#endif  // ANYBIT_MODEL_ENGINE_PACKED_NETWORK_H_
