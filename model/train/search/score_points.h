// Loss and accuracy of operating points on labelled rows, by running the engine.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_SCORE_POINTS_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_SCORE_POINTS_H_

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/format/artifact_contents.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model::train {

struct Score {
  double loss = 0;               // CalibratedLoss, in nats
  double accuracy = 0;           // top-1, 0..1
  std::vector<bool> right = {};  // by row: the answer is its label
};

// The mean cross-entropy of `labels` at the temperature that makes it least; `logits` are [labels][classes]. Networks
// trained for long are too sure of themselves, and rounding makes them less so: their loss falls while answers get
// worse. At the best temperature only the order and the relative sizes of logits count.
double CalibratedLoss(std::span<const float> logits, std::span<const int> labels);

// The scores of `points` over the store of `artifact`, whose own points are not run. InvalidArgument where the rows do
// not fit the network; the errors of ExampleSet::Read.
absl::StatusOr<std::vector<Score>> ScorePoints(const Artifact& artifact, const std::vector<ArtifactPoint>& points,
                                               const ExampleSet& rows, const KernelTable& kernels, int threads);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_SCORE_POINTS_H_
