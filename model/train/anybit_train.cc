// anybit-train: trains an adaptive-bit-width network and writes its artifact.
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/arch/registry.h"
#include "model/artifact.h"
#include "model/data/open_examples.h"
#include "model/evaluate.h"
#include "model/kernels/instruction_set.h"
#include "model/packed_network.h"
#include "model/train/point_recipe.h"
#include "model/train/trainer.h"

ABSL_FLAG(std::string, arch, "fashion", "architecture (model/arch)");
ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "examples, see model/data/open_examples.h");
ABSL_FLAG(std::string, out, "network.safetensors", "artifact to write");
ABSL_FLAG(std::string, points, anybit::kDefaultPoints, "operating points, see model/train/point_recipe.h");
ABSL_FLAG(int64_t, start_steps, anybit::TrainerOptions{}.start_steps, "steps at full precision before joint training");
ABSL_FLAG(int64_t, joint_steps, anybit::TrainerOptions{}.joint_steps, "steps of joint training");
ABSL_FLAG(int64_t, batch, anybit::TrainerOptions{}.batch, "images a step");
ABSL_FLAG(double, learning_rate, anybit::TrainerOptions{}.learning_rate, "at its peak");
ABSL_FLAG(double, weight_decay, anybit::TrainerOptions{}.weight_decay, "decoupled, of the layers' weights");
ABSL_FLAG(uint64_t, seed, anybit::TrainerOptions{}.seed, "of weights, order and augmentation");
ABSL_FLAG(std::string, device, anybit::TrainerOptions{}.device, "cpu or cuda");
ABSL_FLAG(std::string, checkpoint, "", "file to save to every --checkpoint_interval steps");
ABSL_FLAG(int64_t, checkpoint_interval, anybit::TrainerOptions{}.checkpoint_interval, "steps");
ABSL_FLAG(bool, resume, false, "go on from --checkpoint");
ABSL_FLAG(int64_t, version, 1, "model version on the wire");

namespace anybit {
namespace {

// The command that makes the same network again: what decides the result, not where files lie.
std::string Command() {
  return absl::StrCat("anybit-train --arch=", absl::GetFlag(FLAGS_arch), " --points=", absl::GetFlag(FLAGS_points),
                      " --start_steps=", absl::GetFlag(FLAGS_start_steps), " --joint_steps=",
                      absl::GetFlag(FLAGS_joint_steps), " --batch=", absl::GetFlag(FLAGS_batch), " --learning_rate=",
                      absl::GetFlag(FLAGS_learning_rate), " --weight_decay=", absl::GetFlag(FLAGS_weight_decay),
                      " --seed=", absl::GetFlag(FLAGS_seed));
}

absl::Status Main() {
  absl::StatusOr<NetworkSpec> spec = ArchitectureByName(absl::GetFlag(FLAGS_arch));
  if (!spec.ok()) return spec.status();
  absl::StatusOr<std::vector<PointRecipe>> points = ParsePoints(absl::GetFlag(FLAGS_points));
  if (!points.ok()) return points.status();
  const auto& input = spec->input().shape();
  const ExampleShape shape{.height = input[0], .width = input[1], .channels = input[2]};
  absl::StatusOr<std::unique_ptr<ExampleSet>> examples = OpenExamples(absl::GetFlag(FLAGS_data), Split::kTrain, shape);
  if (!examples.ok()) return examples.status();

  const TrainerOptions options{.start_steps = absl::GetFlag(FLAGS_start_steps),
                               .joint_steps = absl::GetFlag(FLAGS_joint_steps),
                               .batch = absl::GetFlag(FLAGS_batch),
                               .learning_rate = absl::GetFlag(FLAGS_learning_rate),
                               .weight_decay = absl::GetFlag(FLAGS_weight_decay),
                               .seed = absl::GetFlag(FLAGS_seed),
                               .device = absl::GetFlag(FLAGS_device),
                               .checkpoint = absl::GetFlag(FLAGS_checkpoint),
                               .checkpoint_interval = absl::GetFlag(FLAGS_checkpoint_interval),
                               .resume = absl::GetFlag(FLAGS_resume)};
  // What could fail after hours of training is tried before.
  absl::StatusOr<std::unique_ptr<ExampleSet>> test = OpenExamples(absl::GetFlag(FLAGS_data), Split::kTest, shape);
  if (!test.ok()) return test.status();
  const std::string out = absl::GetFlag(FLAGS_out);
  if (!std::ofstream(out + ".partial")) return absl::UnavailableError(absl::StrCat("cannot write '", out, ".partial'"));

  absl::StatusOr<Artifact> artifact = Train(*spec, *points, **examples, options, std::cerr, isatty(STDERR_FILENO));
  if (!artifact.ok()) return artifact.status();

  // The test set is touched here, once, after the last choice, by the engine that will serve.
  absl::StatusOr<std::unique_ptr<PackedNetwork>> engine = PackedNetwork::Create(*artifact, *SupportedKernels().front());
  if (!engine.ok()) return engine.status();
  std::cout << absl::StreamFormat("%-12s %10s %10s\n", "point", "held-out", "test");
  for (size_t p = 0; p < artifact->points.size(); ++p) {
    ArtifactPoint& point = artifact->points[p];
    absl::StatusOr<double> accuracy = EvaluateTop1(**engine, static_cast<int>(p), **test);
    if (!accuracy.ok()) return accuracy.status();
    std::cout << absl::StreamFormat("%-12s %9.2f%% %9.2f%%\n", point.info.name, 100 * point.info.accuracy, 100 * *accuracy);
    point.info.accuracy = *accuracy;
    point.accuracy_images = (*test)->count();
  }
  artifact->version = absl::GetFlag(FLAGS_version);
  artifact->trained_with = Command();
  if (absl::Status status = WriteArtifact(*artifact, out); !status.ok()) return status;
  std::cout << "wrote " << out << "\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace anybit

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("trains an adaptive-bit-width network and writes its artifact");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = anybit::Main();
  if (status.ok()) return 0;
  std::cerr << "anybit-train: " << status.message() << "\n";
  return 1;
}
