// Training runs with given results, for tests of reports.
#ifndef ANYBIT_MODEL_TRAIN_TESTING_RUNS_H_
#define ANYBIT_MODEL_TRAIN_TESTING_RUNS_H_

#include <string>
#include <utility>
#include <vector>

#include "model/train/run_file.h"

namespace anybit::model::train {

inline TrainingRun MakeRun(const std::string& recipe, uint64_t seed, std::vector<PointResult> points) {
  TrainingRun run;
  run.set_recipe(recipe);
  run.set_network("fashion");
  run.set_images("fashion-mnist");
  run.set_seed(seed);
  run.set_processor_seconds(90);
  run.set_command("anybit-train --recipe=" + recipe);
  for (PointResult& point : points) *run.add_points() = std::move(point);
  return run;
}

inline PointResult PointOf(const std::string& name, double weight_bits, double activation_bits, double accuracy) {
  PointResult point;
  point.set_name(name);
  point.set_weight_bits(weight_bits);
  point.set_activation_bits(activation_bits);
  point.set_held_out_accuracy(accuracy);
  point.set_held_out_images(1000);
  return point;
}

inline std::vector<TrainingRun> TwoRecipes() {
  return {MakeRun("coquant", 1, {PointOf("w1a1", 1, 1, .84), PointOf("w8a8", 8, 8, .91), PointOf("fp32", 32, 32, .92)}),
          MakeRun("coquant", 2, {PointOf("w1a1", 1, 1, .86), PointOf("w8a8", 8, 8, .91), PointOf("fp32", 32, 32, .92)}),
          MakeRun("separate", 1, {PointOf("w8a8", 8, 8, .905)})};
}

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TESTING_RUNS_H_
