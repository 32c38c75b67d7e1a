// What a training run can be told beside its network, points and images, and whether that fits.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_OPTIONS_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_OPTIONS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/data/augmentation.h"
#include "model/data/example_set.h"
#include "model/format/artifact.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"

namespace anybit {

class ProcessGroup;

struct TrainerOptions {
  Recipe recipe;
  int64_t start_steps = 1000;  // at full precision only
  int64_t first_batch = 0;     // of the sequence that `seed` gives: a run that goes on from another sees new ones
  int64_t joint_steps = 2000;
  int64_t batch = 128;             // of this process
  bool sgd = false;                // with Nesterov momentum; else AdamW
  bool bfloat16_backward = false;  // convolutions round the operands of their backward pass (network/convolution.h)
  double learning_rate = 2e-3;     // at its peak; a cosine takes it to 0 in each of the two phases
  double joint_learning_rate = 0;  // of the joint phase; 0: the same
  double momentum = 0.9;           // of SGD
  double weight_decay = 1e-2;      // AdamW's is decoupled, SGD's is part of the gradient
  double label_smoothing = 0;
  double ema = 0;  // decay per step of averaged weights, which are then the result; 0: none. After n
                   // steps of a phase at most (1 + n) / (10 + n): the phase before is soon forgotten
  Augmentation augmentation = {.shift = 2, .mirror = true};
  int64_t held_out = 2000;    // training images kept for validation
  int64_t norm_batches = 40;  // batches that estimate batch norm after training (TrainableNetwork's
                              // EstimateNorms), all in memory as bytes; 0: its running averages stay
  uint64_t seed = 1;
  std::string device = "cpu";  // or "cuda", or "cuda:1"
  int threads = 0;             // of LibTorch; 0: its own choice. Another number may round sums otherwise

  // Starts from the full-precision point of this artifact, which must have one; must outlive the call.
  const Artifact* start = nullptr;

  // A wish to end: another number than 0, of a signal mostly (1..64), that a signal handler or another thread sets.
  // The step that is being made is finished and saved, then the run is Cancelled; in a group all processes are, as soon
  // as one wishes it, and find its number here. Null: never. Must outlive the call.
  std::atomic<int>* stop = nullptr;

  std::string checkpoint;             // path; empty: none. A file of another run that is there is kept as *.previous
  int64_t checkpoint_interval = 100;  // steps
  bool resume = false;                // go on from `checkpoint` if it exists
  int64_t progress_interval = 50;     // steps between lines where there is no terminal
  int64_t evaluation_interval = 0;    // steps between looks at the held-out images; 0: only at the end. They see
                                      // running batch norm: points of few bits may be far better than they look

  // Data parallel training: each of the group's processes calls Train with the same arguments and sees its share of
  // every step's batch, which is as many times `batch` as there are processes. The first one reads and writes the
  // checkpoint, and its result alone has accuracies. Null: this process alone. Must outlive the call.
  ProcessGroup* group = nullptr;
  bool sync_norm = true;  // batch statistics of the whole group; else of each process's share

  int processes() const;  // of the group; 1 without one
  int rank() const;       // in the group; 0 without one
};

// InvalidArgument names the first option that does not fit the network, its points, the examples or the machine, and
// the limit.
absl::Status CheckOptions(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& examples,
                          const TrainerOptions& options);

// InvalidArgument where `point` would never run.
absl::Status CheckIsDue(const PointRecipe& point, int64_t joint_steps);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_OPTIONS_H_
