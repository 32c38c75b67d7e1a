// The CPU engine: an artifact run by one instruction set's kernels, at any operating point.
//
// It puts together the interpreter (runs the nodes), the panel cache (kernel-shaped weights of points, within a memory
// limit), the choice table and the kernel tuner (which algorithm each layer uses) and, in each scratch, a thread crew.
// To switch points is to follow another pointer. Results do not depend on the chosen algorithms.
//
//   auto network = PackedNetwork::Create(*ReadArtifact(path), *kernels);
//   (*network)->Prepare(point);
//   auto scratch = (*network)->MakeScratch(max_rows);
//   (*network)->Run(point, input, output, *scratch);
#ifndef ANYBIT_MODEL_ENGINE_PACKED_NETWORK_H_
#define ANYBIT_MODEL_ENGINE_PACKED_NETWORK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "model/engine/kernel_chooser.h"
#include "model/engine/layer_trace.h"
#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

struct PackedNetworkOptions {
  // Threads that one Run uses, 1..64: its rows are split among them. A scratch owns all but the calling one; they
  // inherit the processors that the thread making the scratch may run on.
  int threads = 1;
  // Bytes of panels to keep; panel_cache.h says what may exceed it.
  int64_t panel_budget = int64_t{1} << 30;
  // Bytes of activations for each thread; one row's activations are held whatever their size. More rows run in groups,
  // one after the other.
  int64_t activation_budget = int64_t{256} << 20;
  // Bytes of activations that a node reads and writes before the next nodes do, where its weights are fewer
  // (node_groups.h). Nothing: a quarter of the second-level cache.
  std::optional<int64_t> near_activations;
};

class PackedNetwork : public AdaptiveNetwork, public KernelChooser {
 public:
  // `kernels` must outlive the network. InvalidArgument unless `artifact` and `options` are valid.
  static absl::StatusOr<std::unique_ptr<PackedNetwork>> Create(Artifact artifact, const KernelTable& kernels,
                                                               const PackedNetworkOptions& options = {});

  // Like Run at a quantized point, and records the values of each node.
  virtual absl::StatusOr<LayerTrace> Trace(PointId point, std::span<const uint8_t> input) const = 0;

  // Like Run on the calling thread alone, and calls `after_node` after each node has run: for the time that each takes.
  // A node that runs on a few rows at a time (node_groups.h) is reported after each of these parts. At most as many
  // rows as one thread of `scratch` computes at once.
  using AfterNode = std::function<void(const PlannedNode& node, int index)>;
  virtual absl::Status RunNodes(PointId point, std::span<const uint8_t> input, std::span<float> output,
                                Scratch& scratch, const AfterNode& after_node) const = 0;

  KernelChooser* kernel_chooser() final { return this; }

  int64_t panel_bytes() const { return bytes().panels; }
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_PACKED_NETWORK_H_
