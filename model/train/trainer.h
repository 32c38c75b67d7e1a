// Joint training of one network at all its operating points: the loop, its checkpoints and its report.
//
// A full-precision start first; then, at every step, forward and backward at each point that is due, gradients summed
// over points on the shared weights, one optimizer step. Chance is an argument: the order of images, their augmentation
// and the first weights follow from the seed and the step alone, so a resumed run goes on exactly where it stopped.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/artifact.h"
#include "model/data/example_set.h"
#include "model/train/point_recipe.h"

namespace anybit {

struct TrainerOptions {
  int64_t start_steps = 1000;      // at full precision only
  int64_t joint_steps = 2000;
  int64_t batch = 128;
  double learning_rate = 2e-3;     // AdamW's at its peak; a cosine takes it to 0 in each of the two phases
  double weight_decay = 1e-2;
  int64_t held_out = 2000;         // training images kept for validation
  int64_t norm_batches = 40;       // batches that re-estimate batch norm after training
  uint64_t seed = 1;
  std::string device = "cpu";      // or "cuda"
  std::string checkpoint;          // path; empty: none
  int64_t checkpoint_interval = 100;  // steps
  bool resume = false;             // go on from `checkpoint` if it exists
};

// Trains on `examples` and returns the artifact, its accuracies measured on the held-out part. Progress goes to
// `progress`, one line rewritten in place where `live`. InvalidArgument for options that do not fit or an example that
// cannot be read; Internal where LibTorch fails.
absl::StatusOr<Artifact> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                               const ExampleSet& examples, const TrainerOptions& options, std::ostream& progress,
                               bool live);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_H_
