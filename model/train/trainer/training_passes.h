// The passes of one training step: forward and backward at each point that is due, with teachers, swapped blocks and
// losses as the recipe says. The step of the optimizer is the caller's.
//
// A pass with swapped blocks may teach: its loss decides whether it is chosen, and its logits are the target. With
// TeacherLogits::kPure both are those of the point without swapped blocks, which is the network that donates blocks.
// Blocks of the highest point are never swapped.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_PASSES_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_PASSES_H_

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/train/network/trainable_network.h"
#include "model/train/recipe/block_swap.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"
#include "model/train/trainer/frozen_teacher.h"
#include "model/train/trainer/teacher_choice.h"
#include "model/train/trainer/teacher_counts.h"
#include "model/train/trainer/trainer_options.h"
#include "model/train/trainer/training_batches.h"

namespace anybit::model::train {

class TrainingPasses {
 public:
  // `frozen` (null: no point learns from it) and `options` must outlive it.
  TrainingPasses(TrainableNetwork network, FrozenTeacher* frozen, const TrainerOptions& options);

  // Runs `due` points, highest precision first, on `batch` and leaves their gradients on the network, which had none.
  // `measured`: passes have their PassMeasures, those of this process. Throws a Status where the group fails.
  std::vector<PointPass> Run(int64_t step, std::span<const PointIndex> due, const TensorBatch& batch,
                             bool measured = false);

  // Of all steps since the run began.
  const TeacherCounts& teachers() const { return counts_; }

 private:
  // Alike in all passes of a step.
  struct Step {
    int64_t index;
    double swap;           // probability that a block is swapped
    bool distills;         // students learn from their teachers' logits
    double divisor;        // of the losses
    PointIndex last;       // point of the step, which teaches none
    torch::Tensor frozen;  // logits of the frozen teacher, where it teaches
    const TensorBatch& batch;
  };

  // Forward and backward at `point`; `done` are the passes of higher points.
  PointPass RunPass(const Step& step, PointIndex point, std::span<const PointPass> done);
  // The logits from which `point` learns; undefined where it learns from the labels alone.
  torch::Tensor TargetOf(const Step& step, PointIndex point, const PointPass* teacher) const;
  // The logits of `point` without swapped blocks or gradient; running statistics stay as they are.
  torch::Tensor PureLogits(PointIndex point, const torch::Tensor& images);
  torch::Tensor BatchLoss(const torch::Tensor& logits, const TensorBatch& batch) const;

  const TrainerOptions& options_;
  const Recipe& recipe_;
  TrainableNetwork network_;
  FrozenTeacher* const frozen_;
  const std::vector<PointRecipe>& points_;
  const std::vector<Block> blocks_;
  const TeacherChoice teachers_;
  TeacherCounts counts_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_PASSES_H_
