// The flags of anybit-train as values; only the program itself reads them.
#ifndef ANYBIT_MODEL_TRAIN_TRAIN_FLAGS_H_
#define ANYBIT_MODEL_TRAIN_TRAIN_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/rate_range.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {

// A run as its flags describe it.
struct TrainRequest {
  std::string architecture;  // as ArchitectureByName takes it
  std::string data;          // as OpenExamples takes it
  std::vector<PointRecipe> points;
  TrainerOptions options;  // without start, stop and group
  std::string start;       // artifact or checkpoint with the initial weights; empty: random weights
  std::string out;         // artifact to write
  std::string report;      // report to write
  std::string label;       // name of the run in reports
  bool test = true;        // measure the test images at the end
  int64_t max_damaged = 0;
  int64_t model_version = 1;
  std::optional<RateRange> rate_range;  // test learning rates instead of training
  bool keeps_checkpoint = true;         // false: the checkpoint is removed after a complete run
};

// Sets flags from the file named by --config. Called before the flags are parsed, so that the command line overrides
// the file. InvalidArgument with the file, the line and the value; the errors of reading the file.
absl::Status ApplyConfig(int argc, char** argv);

// InvalidArgument for a value that cannot be parsed.
absl::StatusOr<TrainRequest> RequestFromFlags();

// The command that trains the same network again, on any machine: with the name of the data, not their path.
// `architecture` is that of the run, with its number of classes.
std::string CommandOf(const TrainRequest& request, const std::string& architecture);

// "dir/network.safetensors" with `ending`: "dir/network" + `ending`.
std::string WithEnding(const std::string& out, const std::string& ending);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAIN_FLAGS_H_
