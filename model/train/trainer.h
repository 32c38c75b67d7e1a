// Training of one network at all its operating points, as a Recipe says: the loop and its result.
//
// A full-precision start first; then, at every step, forward and backward at each point that is due, from the highest
// precision to the lowest, then one optimizer step on the shared weights. Chance is an argument: the order of images,
// their augmentation, teachers, swapped blocks and the first weights follow from the seed and the step alone, so a
// resumed run goes on exactly where it stopped.
//
// A pass that has blocks swapped is what it is for others too: its loss counts where a teacher is chosen by it, and what
// it says is what it teaches. The highest point is never swapped.
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
#include "model/train/augmentation.h"
#include "model/train/point_recipe.h"
#include "model/train/recipe.h"

namespace anybit {

class ProcessGroup;

struct TrainerOptions {
  Recipe recipe;
  int64_t start_steps = 1000;      // at full precision only
  int64_t first_batch = 0;         // of the sequence that `seed` gives: a run that goes on from another sees new ones
  int64_t joint_steps = 2000;
  int64_t batch = 128;             // of this process
  bool sgd = false;                // with Nesterov momentum; else AdamW
  double learning_rate = 2e-3;     // at its peak; a cosine takes it to 0 in each of the two phases
  double joint_learning_rate = 0;  // of the joint phase; 0: the same
  double momentum = 0.9;           // of SGD
  double weight_decay = 1e-2;      // AdamW's is decoupled, SGD's is part of the gradient
  double label_smoothing = 0;
  double ema = 0;                  // decay per step of averaged weights, which are then the result; 0: none. After n
                                   // steps of a phase at most (1 + n) / (10 + n): the phase before is soon forgotten
  Augmentation augmentation = {.shift = 2, .mirror = true};
  int64_t held_out = 2000;         // training images kept for validation
  int64_t norm_batches = 40;       // batches that re-estimate batch norm after training; 0: its running averages stay
  uint64_t seed = 1;
  std::string device = "cpu";      // or "cuda", or "cuda:1"
  int threads = 0;                 // of LibTorch; 0: its own choice. Another number may round sums otherwise

  // Starts from the full-precision point of this artifact, which must have one; must outlive the call.
  const Artifact* start = nullptr;

  std::string checkpoint;             // path; empty: none
  int64_t checkpoint_interval = 100;  // steps
  bool resume = false;                // go on from `checkpoint` if it exists
  int64_t progress_interval = 50;     // steps between lines where there is no terminal
  int64_t evaluation_interval = 0;    // steps between looks at the held-out images; 0: only at the end

  // Data parallel training: each of the group's processes calls Train with the same arguments and sees its share of
  // every step's batch, which is as many times `batch` as there are processes. The first one reads and writes the
  // checkpoint, and its result alone has accuracies. Null: this process alone. Must outlive the call.
  ProcessGroup* group = nullptr;
  bool sync_norm = true;  // batch statistics of the whole group; else of each process's share
};

// Trains on `examples` and returns the artifact, its accuracies measured on the held-out part. Progress goes to
// `progress`, one line rewritten in place where `live`. InvalidArgument for options that do not fit; what
// ExampleSet::Read says of an example that cannot be read; Unavailable where a process of the group is gone; Internal
// where LibTorch fails.
absl::StatusOr<Artifact> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                               const ExampleSet& examples, const TrainerOptions& options, std::ostream& progress,
                               bool live);

// For a recipe that is not joint: one artifact per point, each trained alone from one shared full-precision start, with
// as many steps at its point as a joint run would have spent on it, on the same batches. Only the optimizer begins anew
// after the start. Checkpoints are `checkpoint`.<point>.
absl::StatusOr<std::vector<Artifact>> TrainSeparately(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                                                      const ExampleSet& examples, const TrainerOptions& options,
                                                      std::ostream& progress, bool live);

// The full-precision point of the run that wrote a checkpoint, as a start for another: an artifact with that point
// alone, weights and batch norm as the run's last step left them (the weights themselves, not their average). `spec` must be that run's.
absl::StatusOr<Artifact> FullPrecisionOf(const std::string& checkpoint, const NetworkSpec& spec);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_H_
