// A network in training: everything that a step changes, and the step itself. The loop around the steps, their
// checkpoints and the result belong to the trainer.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_STEPS_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_STEPS_H_

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/train/network/trainable_network.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/frozen_teacher.h"
#include "model/train/trainer/loss_averages.h"
#include "model/train/trainer/network_state.h"
#include "model/train/trainer/optimizer.h"
#include "model/train/trainer/step_record.h"
#include "model/train/trainer/teacher_counts.h"
#include "model/train/trainer/trainer_options.h"
#include "model/train/trainer/training_batches.h"
#include "model/train/trainer/training_passes.h"
#include "model/train/trainer/weight_average.h"

namespace anybit::model::train {

// All functions throw a Status where the group fails.
class TrainingSteps {
 public:
  // `training` and `options` must outlive it; CheckOptions must accept them. Throws a Status where they do not fit.
  TrainingSteps(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& training,
                const TrainerOptions& options);

  // The points of the result, behind them the one of the start if it is none of them.
  const std::vector<PointRecipe>& points() const { return points_; }
  const TeacherCounts& teachers() const { return passes_.teachers(); }
  TrainableNetwork network() const { return network_; }

  // Takes over the weights of TrainerOptions::start.
  void AdoptStart();

  // The errors of ExampleSet::Read.
  absl::StatusOr<TensorBatch> BatchAt(int64_t step) { return batches_.At(step); }

  // Forward and backward at each point that is due, then one step of the optimizer. `step` steps are finished. Joint
  // training is prepared before its first one.
  std::vector<PointPass> Run(int64_t step, const TensorBatch& batch, double learning_rate, bool measured);

  // Of the measured `passes` of `step`, which is finished.
  StepRecord RecordOf(int64_t step, double learning_rate, const std::vector<PointPass>& passes) const;

  // "loss w8a8 0.123 w4a4f 0.456", moving averages.
  std::string LossText() const { return losses_.Text(points_); }

  // Averages the weights and estimates batch norm from batches, as the options say. `out` names each point. False where
  // a stop was requested in between.
  bool BecomeResult(std::ostream& out);

  // The artifact of the present network, without accuracies.
  Artifact Export() { return network_->Export(results_); }

  // Lets batch statistics be those of the group, where the options say so.
  void SynchronizeNorms();

  // Names and tensors of everything that a later step depends on; they can be read and written.
  NamedTensors State();

  // Drops values computed from the tensors of State, which have changed.
  void StateChanged();

  // Saved with the state, but no later step depends on it.
  NamedTensors Counts() { return {{"teachers", passes_.teachers().tensor()}}; }

 private:
  std::vector<PointIndex> PointsDue(int64_t step) const;
  void CombineGradients();
  void StartJointPhase();

  const TrainerOptions& options_;
  TrainableNetwork network_;
  const std::vector<PointRecipe>& points_;
  std::vector<PointIndex> results_;              // the points of the artifact
  const std::vector<PointIndex> highest_first_;  // the results
  const PointIndex start_point_;
  TrainingBatches batches_;
  const std::unique_ptr<FrozenTeacher> frozen_;  // null where no point learns from it
  TrainingPasses passes_;
  Optimizer optimizer_;
  WeightAverage average_;
  LossAverages losses_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_STEPS_H_
