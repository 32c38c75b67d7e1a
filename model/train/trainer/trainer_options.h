// The options of a training run beside its network, points and images, and their validation.
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

namespace anybit::model::train {

class ProcessGroup;

// TrainerOptions::keep_best by the mean over all points.
inline constexpr char kMeanOfPoints[] = "mean";

struct TrainerOptions {
  Recipe recipe;
  int64_t start_steps = 1000;      // of the first phase, at full precision only
  int64_t first_batch = 0;         // offset into the sequence of batches: a run that continues another sees new batches
  int64_t joint_steps = 2000;      // of the second phase, at all points
  int64_t batch = 128;             // images per step and process
  bool sgd = false;                // with Nesterov momentum; else AdamW
  bool bfloat16_backward = false;  // convolutions round the operands of their backward pass (network/convolution.h)
  double learning_rate = 2e-3;     // peak; falls along a cosine to 0 in each of the two phases
  double joint_learning_rate = 0;  // peak of the joint phase; 0: learning_rate
  double momentum = 0.9;           // of SGD
  double weight_decay = 1e-2;      // decoupled under AdamW, part of the gradient under SGD
  double label_smoothing = 0;
  double ema = 0;  // decay per step of the weights' moving average, which becomes the result; 0: no average
  Augmentation augmentation = {.shift = 2, .mirror = true};
  int64_t held_out = 2000;    // training images kept for validation
  int64_t norm_batches = 40;  // batches that estimate batch norm after training (TrainableNetwork::EstimateNorms), all
                              // in memory as bytes; 0: batch norm keeps its running statistics
  uint64_t seed = 1;
  std::string device = "cpu";  // or "cuda", or "cuda:1"
  int threads = 0;             // of LibTorch; 0: LibTorch's default. The number may change the rounding of sums

  // The run starts from the full-precision point of this artifact; null: from random weights. Must outlive the call.
  const Artifact* start = nullptr;

  // A request to end, set by a signal handler or another thread: a number other than 0, usually of a signal (1..64).
  // The current step is finished and saved, then Train returns Cancelled. In a group the request of any process ends
  // all of them, and each finds its number here. Null: there are no requests. Must outlive the call.
  std::atomic<int>* stop = nullptr;

  std::string checkpoint;             // path; empty: none. An existing file of another run is kept as *.previous
  int64_t checkpoint_interval = 100;  // steps
  bool resume = false;                // from `checkpoint`, if it exists
  int64_t progress_interval = 50;     // steps between progress lines where there is no terminal
  int64_t evaluation_interval = 0;    // steps between evaluations on the held-out images; 0: only at the end. They use
                                      // running batch norm, which underrates points of few bits

  // The result is the best of the networks that are evaluated in joint training and at its end, each with averaged
  // weights and estimated batch norm as a result has them: by "mean", the mean held-out accuracy of all points, or by
  // that of the point of this name. Empty: the last network.
  std::string keep_best;

  std::string step_log;           // path of a file with a line of JSON per logged step (step_log.h); empty: none
  std::string tensorboard;        // folder for an event file with the same values (event_file.h); empty: none
  int64_t step_log_interval = 1;  // steps, of both; a logged step takes some tenths longer

  // Data-parallel training. Each process of the group calls Train with the same arguments and gets its share of every
  // batch, which has `batch` images per process. The first process reads and writes the checkpoint, and only its result
  // has accuracies. Null: this process alone. Must outlive the call.
  ProcessGroup* group = nullptr;
  bool sync_norm = true;  // batch statistics over the whole group, not over each process's share

  int processes() const;  // of the group; 1 without one
  int rank() const;       // in the group; 0 without one
};

// InvalidArgument, with the value and the limit, for the first option that does not fit the network, its points, the
// examples or the machine.
absl::Status CheckOptions(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& examples,
                          const TrainerOptions& options);

// InvalidArgument where `point` would never be trained in `joint_steps` steps.
absl::Status CheckIsDue(const PointRecipe& point, int64_t joint_steps);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_OPTIONS_H_
