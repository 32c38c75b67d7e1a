// The tuner's trials of one operating point on a device: graphs with a mark after each node.
//
// Before a combination of kernels is timed, it must give the logits of the panels that the network runs with.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_POINT_TRIALS_H_
#define ANYBIT_MODEL_ENGINE_CUDA_POINT_TRIALS_H_

#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/point_id.h"
#include "model/engine/cuda/device_weights.h"
#include "model/engine/cuda/launch_list.h"
#include "model/engine/cuda/slot.h"
#include "model/engine/kernel_choices.h"
#include "model/engine/kernel_tuner.h"

namespace anybit::model::cuda {

class PointTrials : public TrialRunner {
 public:
  // `panels` is what the network runs with at `point`. The other arguments must outlive the trials.
  PointTrials(const LaunchContext& context, DeviceWeights& weights, PointId point,
              std::shared_ptr<const DevicePoint> panels, Slot& slot)
      : context_(context),
        weights_(weights),
        point_(point),
        panels_(std::move(panels)),
        slot_(slot),
        trial_(*panels_) {}

  // Derives the panels of all candidates of all layers. Once, first.
  absl::Status MakeCandidates();

  // Of each layer; 0 where there is no choice.
  std::vector<int> counts() const;
  const char* name(int layer, int candidate) const { return NameOf(candidates_[layer][candidate]->algorithm); }

  // The first error; after it, trials do nothing. DataLoss if kernels disagree: then none is to be trusted.
  const absl::Status& status() const { return status_; }

  void Run(int size, std::span<const int> candidates, std::span<std::chrono::nanoseconds> times) override;

 private:
  absl::Status RunTrial(int size, std::span<const int> candidates, std::span<std::chrono::nanoseconds> times);
  // Makes graph_ the one of these candidates.
  absl::Status Record(int size, const std::vector<int>& candidates);
  absl::Status CheckLogits(int size, const std::vector<int>& candidates);

  const LaunchContext& context_;
  DeviceWeights& weights_;
  const PointId point_;
  const std::shared_ptr<const DevicePoint> panels_;
  Slot& slot_;
  DevicePoint trial_;
  std::vector<std::vector<std::shared_ptr<const DevicePanel>>> candidates_;  // by layer
  std::array<std::vector<float>, kChoiceRows.size()> expected_;              // logits
  absl::Status status_;
  std::unique_ptr<DeviceGraph> graph_;  // of size_ and wanted_
  int size_ = -1;
  std::vector<int> wanted_;
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_POINT_TRIALS_H_
