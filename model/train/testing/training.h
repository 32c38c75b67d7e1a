// A training of a few seconds: a small network on stripes.
#ifndef ANYBIT_MODEL_TRAIN_TESTING_TRAINING_H_
#define ANYBIT_MODEL_TRAIN_TESTING_TRAINING_H_

#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "absl/status/statusor.h"
#include "model/engine/evaluate.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"
#include "model/train/testing/stripes.h"
#include "model/train/trainer/trainer.h"
#include "model/train/trainer/training_result.h"

namespace anybit::model::train {

inline TrainerOptions SmallOptions(const char* recipe = "coquant") {
  return {.recipe = *ParseRecipe(recipe),
          .start_steps = 20,
          .joint_steps = 40,
          .batch = 32,
          .learning_rate = 5e-3,
          .held_out = 100,
          .norm_batches = 5,
          .threads = 1};  // more threads would slow layers this small
}

inline constexpr char kPoints[] = "fp32,w4a4f,w1a1";

inline absl::StatusOr<TrainingResult> TrainSmallWithCounts(const TrainerOptions& options,
                                                           const char* points = kPoints) {
  std::ostringstream progress;
  return Train(StripesNetwork(), *ParsePoints(points), Stripes(500, 1), options, progress, /*live=*/false);
}

inline absl::StatusOr<Artifact> TrainSmall(const TrainerOptions& options, const char* points = kPoints) {
  absl::StatusOr<TrainingResult> result = TrainSmallWithCounts(options, points);
  if (!result.ok()) return result.status();
  return std::move(result->artifact);
}

// Top-1 accuracy of every point in the engine, on images outside the training set.
inline std::vector<double> Served(const Artifact& artifact) {
  const auto engine = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  const MemoryExamples test = Stripes(200, 2);
  std::vector<double> accuracies;
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    accuracies.push_back(*EvaluateTop1(*engine, ToPointId(static_cast<int>(p)), test));
  }
  return accuracies;
}

// The weights of a layer after a few steps with SGD, whose moves depend on the size of gradients.
inline std::vector<float> BriefWeights(const char* recipe, const char* points = "fp32,w8a8,w4a4f,w1a1") {
  TrainerOptions options = SmallOptions(recipe);
  options.start_steps = options.joint_steps = 5;
  options.sgd = true;
  return TrainSmall(options, points)->store[2].full;
}

// A TrainSmall that fails after `steps` steps, because its output stream does.
inline void TrainSmallAndDie(TrainerOptions options, int64_t steps, const char* points = kPoints) {
  class Broken : public std::stringbuf {
    int sync() override { throw std::runtime_error("the terminal is gone"); }
  } buffer;
  std::ostream dying(&buffer);
  dying.exceptions(std::ios::badbit);
  options.progress_interval = steps;
  EXPECT_FALSE(Train(StripesNetwork(), *ParsePoints(points), Stripes(500, 1), options, dying, /*live=*/false).ok());
}

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TESTING_TRAINING_H_
