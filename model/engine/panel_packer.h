// Derives the panels of an operating point from an artifact's int8 store.
#ifndef ANYBIT_MODEL_ENGINE_PANEL_PACKER_H_
#define ANYBIT_MODEL_ENGINE_PANEL_PACKER_H_

#include <memory>
#include <span>
#include <vector>

#include "base/point_id.h"
#include "model/engine/activation_plan.h"
#include "model/engine/kernel_choices.h"
#include "model/engine/point_panels.h"
#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_algorithm.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// One layer packed with one algorithm that is exact for it.
struct KernelCandidate {
  ConvAlgorithm algorithm;
  std::shared_ptr<const ConvLayer> conv;
};

// Every way to run a point.
struct PointCandidates {
  PointPanels panels;                                // of linear layers; those of conv layers are left empty
  std::vector<std::vector<KernelCandidate>> layers;  // by layer; of a linear layer none
};

// Any thread. The arguments must outlive the packer and all panels.
class PanelPacker {
 public:
  PanelPacker(const Artifact& artifact, const NetworkPlan& plan, const ActivationPlan& activations,
              const KernelTable& kernels)
      : artifact_(artifact), plan_(plan), activations_(activations), kernels_(kernels) {}

  // Packs each layer with `choices` (by layer). Replaces a choice that is empty or not exact for these weights by the
  // first exact algorithm in order of GuessedCost.
  PointPanels Pack(PointId point, std::span<AlgorithmNames> choices) const;

  // Packs each layer with all algorithms that are exact for it.
  PointCandidates PackCandidates(PointId point) const;

 private:
  // The weights of a conv or linear layer at a point. `conv` refers to the others.
  struct LayerWeights {
    std::vector<int16_t> codes;
    std::vector<float> floats;  // rounded; empty where the artifact's are taken as they are
    ConvWeights conv;
  };

  PointPanels EmptyPanels(PointId point) const;
  int HighestInput(PointId point, int node) const;
  LayerWeights WeightsOf(PointId point, int layer) const;
  LayerPanels PackLinear(PointId point, int layer) const;
  LayerPanels PackConvLayer(PointId point, int layer, AlgorithmNames& choices) const;
  std::shared_ptr<const ConvLayer> PackWith(const ConvAlgorithm& algorithm, int layer,
                                            const LayerWeights& weights) const;
  std::vector<ConvAlgorithm> ByGuessedCost(int layer, int rows) const;

  const Artifact& artifact_;
  const NetworkPlan& plan_;
  const ActivationPlan& activations_;
  const KernelTable& kernels_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_PANEL_PACKER_H_
