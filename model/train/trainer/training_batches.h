// The batches of a training run as tensors on its device.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_BATCHES_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_BATCHES_H_

#include <torch/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "model/data/batch_source.h"
#include "model/data/example_set.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {

struct TensorBatch {
  torch::Tensor images;        // u8 [N, frames, height, width, channels]
  torch::Tensor labels;        // int64 [N]
  torch::Tensor other_labels;  // int64 [N], or undefined where no rows are mixed
  double share = 1;            // weight of the loss of `labels`; that of `other_labels` has the rest
};

class TrainingBatches {
 public:
  // `training` and `options` must outlive it. The errors of BatchSource::Create.
  static absl::StatusOr<TrainingBatches> Create(const ExampleSet& training, const TrainerOptions& options);

  // This process's rows of the batch of `step`. The errors of ExampleSet::Read.
  absl::StatusOr<TensorBatch> At(int64_t step);

  // The images of all processes' rows of that batch: for what every process measures alike.
  absl::StatusOr<torch::Tensor> WholeImagesAt(int64_t step) const;

 private:
  TrainingBatches(const ExampleSet& training, const TrainerOptions& options, BatchSource source);

  const ExampleSet* training_;
  const TrainerOptions* options_;
  BatchSource source_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_BATCHES_H_
