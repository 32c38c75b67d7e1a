// anybit-train: trains an adaptive-bit-width network and writes its artifact.
//
// Tested: everything here on the CPU; resuming after SIGKILL by starting this binary (anybit_train_test). `--device
// cuda` takes the same path with tensors on the GPU and has run nowhere yet.
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "model/arch/registry.h"
#include "model/artifact.h"
#include "model/evaluate.h"
#include "model/image_set.h"
#include "model/kernels/instruction_set.h"
#include "model/packed_network.h"
#include "model/train/config_file.h"
#include "model/train/point_recipe.h"
#include "model/train/recipe.h"
#include "model/train/trainer.h"

using anybit::TrainerOptions;

ABSL_FLAG(std::string, config, "", "file of `flag = value` lines; flags on the command line win over it");
ABSL_FLAG(std::string, recipe, "coquant", "training system: a name, or a name and `,key=value`s; see --help");
ABSL_FLAG(std::string, arch, "fashion", "architecture (model/arch)");
ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "folder with the MNIST family's IDX files");
ABSL_FLAG(std::string, out, "network.safetensors",
          "artifact to write; of a recipe that trains points alone one per point, named *.<point>.safetensors");
ABSL_FLAG(std::string, points, anybit::kDefaultPoints, "operating points, see model/train/point_recipe.h");
ABSL_FLAG(std::string, start, "",
          "artifact with a full-precision point, or a checkpoint, whose float weights to start from");
ABSL_FLAG(int64_t, start_steps, TrainerOptions{}.start_steps, "steps at full precision before joint training");
ABSL_FLAG(int64_t, joint_steps, TrainerOptions{}.joint_steps, "steps of joint training");
ABSL_FLAG(int64_t, batch, TrainerOptions{}.batch, "images a step");
ABSL_FLAG(std::string, optimizer, "adamw", "adamw, or sgd with Nesterov momentum");
ABSL_FLAG(double, learning_rate, TrainerOptions{}.learning_rate, "at its peak");
ABSL_FLAG(double, joint_learning_rate, TrainerOptions{}.joint_learning_rate,
          "of joint training, at its peak; 0: the same");
ABSL_FLAG(double, momentum, TrainerOptions{}.momentum, "of sgd");
ABSL_FLAG(double, weight_decay, TrainerOptions{}.weight_decay, "of the layers' weights");
ABSL_FLAG(double, label_smoothing, TrainerOptions{}.label_smoothing, "share of the labels spread over all classes");
ABSL_FLAG(double, ema, TrainerOptions{}.ema, "decay per step of averaged weights, which become the result; 0: none");
ABSL_FLAG(int64_t, held_out, TrainerOptions{}.held_out, "training images kept for validation");
ABSL_FLAG(int64_t, norm_batches, TrainerOptions{}.norm_batches, "batches that re-estimate batch norm after training");
ABSL_FLAG(uint64_t, seed, TrainerOptions{}.seed, "of weights, order, augmentation, teachers and swaps");
ABSL_FLAG(std::string, device, TrainerOptions{}.device, "cpu, or cuda, which is written but has run nowhere yet");
ABSL_FLAG(int, threads, TrainerOptions{}.threads, "of LibTorch; 0: its own choice");
ABSL_FLAG(std::string, checkpoint, "", "file to save to every --checkpoint_interval steps");
ABSL_FLAG(int64_t, checkpoint_interval, TrainerOptions{}.checkpoint_interval, "steps");
ABSL_FLAG(bool, resume, false, "go on from --checkpoint");
ABSL_FLAG(int64_t, progress_interval, TrainerOptions{}.progress_interval,
          "steps between lines where there is no terminal");
ABSL_FLAG(int64_t, evaluation_interval, TrainerOptions{}.evaluation_interval,
          "steps between looks at the held-out images; 0: only at the end");
ABSL_FLAG(int64_t, version, 1, "model version on the wire");

namespace anybit {
namespace {

// What decides the result; the other flags say where files lie and what is shown.
constexpr const char* kDeciding[] = {"arch",        "points",        "start",
                                     "start_steps", "joint_steps",   "batch",
                                     "optimizer",   "learning_rate", "joint_learning_rate",
                                     "momentum",    "weight_decay",  "label_smoothing",
                                     "ema",         "held_out",      "norm_batches",
                                     "seed"};
constexpr const char* kOther[] = {"recipe",     "data",   "out",     "device",     "threads",
                                  "checkpoint", "checkpoint_interval", "resume", "progress_interval",
                                  "evaluation_interval", "version"};

absl::CommandLineFlag& Flag(const std::string& name) { return *absl::FindCommandLineFlag(name); }

// The command that makes the same network again.
std::string Command(const Recipe& recipe) {
  std::string command = absl::StrCat("anybit-train --recipe=", RecipeText(recipe));
  for (const char* name : kDeciding) {
    const std::string value = Flag(name).CurrentValue();
    if (!value.empty()) absl::StrAppend(&command, " --", name, "=", value);
  }
  return command;
}

// The file named by --config, read before the flags are, so that these win.
absl::Status ApplyConfig(int argc, char** argv) {
  std::string path;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (!absl::ConsumePrefix(&argument, "--") && !absl::ConsumePrefix(&argument, "-")) continue;
    if (argument == "config" && i + 1 < argc) path = argv[i + 1];
    if (absl::ConsumePrefix(&argument, "config=")) path = std::string(argument);
  }
  if (path.empty()) return absl::OkStatus();
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open config file '", path, "'"));
  std::ostringstream text;
  text << file.rdbuf();
  std::vector<std::string> known(std::begin(kDeciding), std::end(kDeciding));
  known.insert(known.begin(), std::begin(kOther), std::end(kOther));
  const absl::StatusOr<std::vector<ConfigEntry>> entries = ParseConfig(text.str(), known, path);
  if (!entries.ok()) return entries.status();
  for (const ConfigEntry& entry : *entries) {
    std::string error;
    if (Flag(entry.key).ParseFrom(entry.value, &error)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", entry.line, ": ", entry.key, " = ", entry.value, ": ", error));
  }
  return absl::OkStatus();
}

absl::StatusOr<Artifact> ReadStart(const std::string& path, const NetworkSpec& spec) {
  absl::StatusOr<Artifact> artifact = ReadArtifact(path);
  if (artifact.ok() || absl::IsNotFound(artifact.status())) return artifact;
  absl::StatusOr<Artifact> checkpoint = FullPrecisionOf(path, spec);
  if (checkpoint.ok()) return checkpoint;
  return absl::InvalidArgumentError(absl::StrCat("'", path, "' is no artifact (", artifact.status().message(),
                                                 ") and no checkpoint of this network (", checkpoint.status().message(),
                                                 ")"));
}

absl::Status CheckWritable(const std::string& path) {
  const std::string trial = path + ".partial";
  const bool writable = std::ofstream(trial).good();
  if (!writable) return absl::UnavailableError(absl::StrCat("cannot write '", trial, "'"));
  unlink(trial.c_str());
  return absl::OkStatus();
}

// "dir/network.safetensors" to "dir/network.w8a8.safetensors".
std::string PathOfPoint(const std::string& out, const std::string& point) {
  constexpr char kEnding[] = ".safetensors";
  return absl::StrCat(absl::StripSuffix(out, kEnding), ".", point, kEnding);
}

// The test set is touched here, once, after the last choice, by the engine that will serve.
absl::Status TestAndWrite(Artifact artifact, const ImageSet& test, const std::string& command,
                          const std::string& path) {
  absl::StatusOr<std::unique_ptr<PackedNetwork>> engine = PackedNetwork::Create(artifact, *SupportedKernels().front());
  if (!engine.ok()) return engine.status();
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    ArtifactPoint& point = artifact.points[p];
    absl::StatusOr<double> accuracy = EvaluateTop1(**engine, static_cast<int>(p), test);
    if (!accuracy.ok()) return accuracy.status();
    std::cout << absl::StreamFormat("%-12s %9.2f%% %9.2f%%\n", point.info.name, 100 * point.info.accuracy,
                                    100 * *accuracy);
    point.info.accuracy = *accuracy;
    point.accuracy_images = test.count;
  }
  artifact.version = absl::GetFlag(FLAGS_version);
  artifact.trained_with = command;
  if (absl::Status status = WriteArtifact(artifact, path); !status.ok()) return status;
  std::cout << "wrote " << path << "\n";
  return absl::OkStatus();
}

absl::Status Main() {
  absl::StatusOr<Recipe> recipe = ParseRecipe(absl::GetFlag(FLAGS_recipe));
  if (!recipe.ok()) return recipe.status();
  absl::StatusOr<NetworkSpec> spec = ArchitectureByName(absl::GetFlag(FLAGS_arch));
  if (!spec.ok()) return spec.status();
  absl::StatusOr<std::vector<PointRecipe>> points = ParsePoints(absl::GetFlag(FLAGS_points));
  if (!points.ok()) return points.status();
  const std::string optimizer = absl::GetFlag(FLAGS_optimizer);
  if (optimizer != "adamw" && optimizer != "sgd") {
    return absl::InvalidArgumentError(absl::StrCat("optimizer '", optimizer, "' is not adamw or sgd"));
  }
  const int64_t side = spec->input().shape(0);
  absl::StatusOr<ImageSet> images = ReadIdxFolder(absl::GetFlag(FLAGS_data), Split::kTrain, side);
  if (!images.ok()) return images.status();

  TrainerOptions options{.recipe = *recipe,
                         .start_steps = absl::GetFlag(FLAGS_start_steps),
                         .joint_steps = absl::GetFlag(FLAGS_joint_steps),
                         .batch = absl::GetFlag(FLAGS_batch),
                         .sgd = optimizer == "sgd",
                         .learning_rate = absl::GetFlag(FLAGS_learning_rate),
                         .joint_learning_rate = absl::GetFlag(FLAGS_joint_learning_rate),
                         .momentum = absl::GetFlag(FLAGS_momentum),
                         .weight_decay = absl::GetFlag(FLAGS_weight_decay),
                         .label_smoothing = absl::GetFlag(FLAGS_label_smoothing),
                         .ema = absl::GetFlag(FLAGS_ema),
                         .held_out = absl::GetFlag(FLAGS_held_out),
                         .norm_batches = absl::GetFlag(FLAGS_norm_batches),
                         .seed = absl::GetFlag(FLAGS_seed),
                         .device = absl::GetFlag(FLAGS_device),
                         .threads = absl::GetFlag(FLAGS_threads),
                         .checkpoint = absl::GetFlag(FLAGS_checkpoint),
                         .checkpoint_interval = absl::GetFlag(FLAGS_checkpoint_interval),
                         .resume = absl::GetFlag(FLAGS_resume),
                         .progress_interval = absl::GetFlag(FLAGS_progress_interval),
                         .evaluation_interval = absl::GetFlag(FLAGS_evaluation_interval)};
  std::optional<Artifact> start;
  if (const std::string path = absl::GetFlag(FLAGS_start); !path.empty()) {
    absl::StatusOr<Artifact> read = ReadStart(path, *spec);
    if (!read.ok()) return read.status();
    start = *std::move(read);
    options.start = &*start;
  }
  // What could fail after hours of training is tried before.
  absl::StatusOr<ImageSet> test = ReadIdxFolder(absl::GetFlag(FLAGS_data), Split::kTest, side);
  if (!test.ok()) return test.status();
  const std::string out = absl::GetFlag(FLAGS_out);
  if (absl::Status status = CheckWritable(out); !status.ok()) return status;

  const bool live = isatty(STDERR_FILENO);
  std::vector<Artifact> artifacts;
  if (recipe->joint) {
    absl::StatusOr<Artifact> artifact = Train(*spec, *points, *images, options, std::cerr, live);
    if (!artifact.ok()) return artifact.status();
    artifacts.push_back(*std::move(artifact));
  } else {
    absl::StatusOr<std::vector<Artifact>> alone = TrainSeparately(*spec, *points, *images, options, std::cerr, live);
    if (!alone.ok()) return alone.status();
    artifacts = *std::move(alone);
  }
  std::cout << absl::StreamFormat("%-12s %10s %10s\n", "point", "held-out", "test");
  for (size_t i = 0; i < artifacts.size(); ++i) {
    const std::string path = recipe->joint ? out : PathOfPoint(out, (*points)[i].name);
    if (absl::Status status = TestAndWrite(artifacts[i], *test, Command(*recipe), path); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace anybit

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      absl::StrCat("trains an adaptive-bit-width network and writes its artifact\n\n"
                   "Recipes: adabits, any-precision[:recursive|:soft|:hard], coquant, double-rounding, separate\n"
                   "and their keys, as in --recipe=coquant,teacher=closest,swap=0.3:\n",
                   anybit::RecipeKeys()));
  absl::Status status = anybit::ApplyConfig(argc, argv);
  if (status.ok()) {
    absl::ParseCommandLine(argc, argv);
    status = anybit::Main();
  }
  if (status.ok()) return 0;
  std::cerr << "anybit-train: " << status.message() << "\n";
  return 1;
}
