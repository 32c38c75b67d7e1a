#include "model/train/trainer/training_batches.h"

#include <utility>

namespace anybit::model::train {
namespace {

// The rows of process `rank` among `processes`, of batches as large as those of the whole group.
absl::StatusOr<BatchSource> MakeSource(const ExampleSet& training, const TrainerOptions& options, int rank,
                                       int processes) {
  return BatchSource::Create(training, {.batch = options.batch * options.processes(),
                                        .seed = options.seed,
                                        .rank = rank,
                                        .world_size = processes,
                                        .augmentation = options.augmentation});
}

TensorBatch ToTensors(Minibatch batch, const ExampleShape& shape, const torch::Device& device) {
  const auto rows = static_cast<int64_t>(batch.labels.size());
  const auto to_device = [&](void* values, at::IntArrayRef sizes, torch::ScalarType type) {
    return torch::from_blob(values, sizes, type).clone().to(device);
  };
  TensorBatch tensors{
      .images = to_device(batch.images.data(), {rows, shape.frames, shape.height, shape.width, shape.channels},
                          torch::kUInt8),
      .labels = to_device(batch.labels.data(), {rows}, torch::kInt64),
      .share = batch.share};
  if (!batch.other_labels.empty()) {
    tensors.other_labels = to_device(batch.other_labels.data(), {rows}, torch::kInt64);
  }
  return tensors;
}

}  // namespace

TrainingBatches::TrainingBatches(const ExampleSet& training, const TrainerOptions& options, BatchSource source)
    : training_(&training), options_(&options), source_(std::move(source)) {}

absl::StatusOr<TrainingBatches> TrainingBatches::Create(const ExampleSet& training, const TrainerOptions& options) {
  absl::StatusOr<BatchSource> source = MakeSource(training, options, options.rank(), options.processes());
  if (!source.ok()) return source.status();
  return TrainingBatches(training, options, *std::move(source));
}

absl::StatusOr<TensorBatch> TrainingBatches::At(int64_t step) {
  absl::StatusOr<Minibatch> batch = source_.At(options_->first_batch + step);
  if (!batch.ok()) return batch.status();
  return ToTensors(*std::move(batch), training_->shape(), torch::Device(options_->device));
}

absl::StatusOr<torch::Tensor> TrainingBatches::WholeImagesAt(int64_t step) const {
  absl::StatusOr<BatchSource> whole = MakeSource(*training_, *options_, /*rank=*/0, /*processes=*/1);
  if (!whole.ok()) return whole.status();
  absl::StatusOr<Minibatch> batch = whole->At(options_->first_batch + step);
  if (!batch.ok()) return batch.status();
  return ToTensors(*std::move(batch), training_->shape(), torch::Device(options_->device)).images;
}

}  // namespace anybit::model::train
