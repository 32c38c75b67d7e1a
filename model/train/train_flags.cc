#include "model/train/train_flags.h"

#include <iterator>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "model/data/augmentation.h"
#include "model/train/config_file.h"
#include "model/train/recipe/recipe.h"
#include "model/train/task.h"

using anybit::model::ToText;
using anybit::model::train::kDefaultPoints;
using anybit::model::train::TrainerOptions;

ABSL_FLAG(std::string, config, "", "file with lines `flag = value`; flags on the command line override it");
ABSL_FLAG(std::string, recipe, "anybit", "training system: a name, or a name and `,key=value` overrides; see above");
ABSL_FLAG(std::string, arch, "fashion",
          "architecture, see model/arch/registry.h; without classes= it gets the number of classes of the data");
ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "examples, see model/data/open_examples.h");
ABSL_FLAG(std::string, augment, ToText(TrainerOptions{}.augmentation),
          "random changes of training images, see model/data/augmentation.h; or none");
ABSL_FLAG(std::string, out, "network.safetensors",
          "artifact to write; a recipe that trains each point by itself writes one per point, *.<point>.safetensors");
ABSL_FLAG(std::string, report, "", "JSON file to write for anybit-train-report; empty: *.json beside --out");
ABSL_FLAG(std::string, points, kDefaultPoints, "operating points, see model/train/recipe/point_recipe.h");
ABSL_FLAG(std::string, start, "",
          "artifact with a full-precision point, or checkpoint, with the initial float weights; empty: random weights");
ABSL_FLAG(int64_t, start_steps, TrainerOptions{}.start_steps, "steps at full precision before joint training");
ABSL_FLAG(int64_t, joint_steps, TrainerOptions{}.joint_steps, "steps of joint training");
ABSL_FLAG(int64_t, batch, TrainerOptions{}.batch, "images per step and process");
ABSL_FLAG(std::string, optimizer, "adamw", "adamw, or sgd with Nesterov momentum");
ABSL_FLAG(std::string, backward, "float",
          "float, or bfloat16: convolutions round the operands of their backward pass, which is faster with AVX-512 "
          "BF16 or AMX and emulated on other processors");
ABSL_FLAG(double, learning_rate, TrainerOptions{}.learning_rate, "peak of the learning rate");
ABSL_FLAG(double, joint_learning_rate, TrainerOptions{}.joint_learning_rate,
          "peak of the learning rate of joint training; 0: --learning_rate");
ABSL_FLAG(double, momentum, TrainerOptions{}.momentum, "momentum of sgd");
ABSL_FLAG(double, weight_decay, TrainerOptions{}.weight_decay, "weight decay of the layers' weights");
ABSL_FLAG(double, label_smoothing, TrainerOptions{}.label_smoothing, "share of the labels spread over all classes");
ABSL_FLAG(double, ema, TrainerOptions{}.ema,
          "decay per step of the weights' moving average, which becomes the result; 0: no average");
ABSL_FLAG(int64_t, held_out, TrainerOptions{}.held_out, "training images kept for validation");
ABSL_FLAG(int64_t, norm_batches, TrainerOptions{}.norm_batches,
          "batches that estimate batch norm after training, all in memory as bytes; 0: batch norm keeps its running "
          "statistics");
ABSL_FLAG(uint64_t, seed, TrainerOptions{}.seed, "seed of weights, order, augmentation, teachers and swaps");
ABSL_FLAG(std::string, device, TrainerOptions{}.device, "cpu, cuda, or cuda:1; cuda needs a build with --config=cuda");
ABSL_FLAG(bool, sync_norm, TrainerOptions{}.sync_norm,
          "batch norm over the images of all processes; false: of each process");
ABSL_FLAG(int, threads, TrainerOptions{}.threads, "threads of LibTorch; 0: its default");
ABSL_FLAG(std::string, checkpoint, "",
          "file to save to every --checkpoint_interval steps and when a signal ends the run; empty: *.ckpt beside "
          "--out, removed after the test; none: no file");
ABSL_FLAG(int64_t, checkpoint_interval, TrainerOptions{}.checkpoint_interval, "steps between checkpoints");
ABSL_FLAG(bool, resume, false, "resume from --checkpoint");
ABSL_FLAG(int64_t, progress_interval, TrainerOptions{}.progress_interval,
          "steps between progress lines where there is no terminal");
ABSL_FLAG(
    int64_t, evaluation_interval, TrainerOptions{}.evaluation_interval,
    "steps between evaluations on the held-out images, with running batch norm, which underrates points of few bits; "
    "0: only at the end");
ABSL_FLAG(
    std::string, keep_best, "",
    "result: the best of the networks that --evaluation_interval evaluates in joint training, each with averaged "
    "weights and estimated batch norm, by `mean`, the held-out accuracy of all points, or by that of the point of "
    "this name; empty: the last network");
ABSL_FLAG(std::string, lr_range_test, "",
          "LOW:HIGH, as in 1e-6:1: no training but a test of learning rates, which rise from LOW to HIGH; writes "
          "*.rates.json and *.rates.svg beside --out and suggests a rate. It tests --start_steps' training at full "
          "precision, or with --start_steps=0 joint training");
ABSL_FLAG(int64_t, lr_range_steps, 200, "steps of --lr_range_test");
ABSL_FLAG(
    std::string, step_log, "",
    "file for a line of JSON per logged step: of each point its loss, teacher, gradient norm, saturated activations "
    "and activation steps, then images per second and seconds left; empty: none");
ABSL_FLAG(
    std::string, tensorboard, "",
    "folder for an event file of TensorBoard with the values of --step_log and the held-out accuracies; empty: none");
ABSL_FLAG(int64_t, step_log_interval, TrainerOptions{}.step_log_interval,
          "steps between lines of --step_log and events of --tensorboard");
ABSL_FLAG(bool, test, true,
          "measure the test images once, at the end; false: never, for runs that choose hyperparameters");
ABSL_FLAG(
    int64_t, max_damaged, 0,
    "image files that may be damaged: they are listed and left out; with more the run ends before its first step");
ABSL_FLAG(int64_t, model_version, 1, "version of the model in the protocol");
ABSL_FLAG(std::string, label, "", "name of the run in reports, which average runs of one name; empty: the recipe");

namespace anybit::model::train {
namespace {

// The flags that decide the result, beside --recipe and --data. All others set paths and output.
constexpr const char* kDecidingFlags[] = {"arch",
                                          "augment",
                                          "points",
                                          "start",
                                          "start_steps",
                                          "joint_steps",
                                          "batch",
                                          "optimizer",
                                          "learning_rate",
                                          "joint_learning_rate",
                                          "momentum",
                                          "weight_decay",
                                          "label_smoothing",
                                          "ema",
                                          "held_out",
                                          "norm_batches",
                                          "sync_norm",
                                          "seed"};
constexpr const char* kOtherFlags[] = {"recipe",
                                       "data",
                                       "out",
                                       "report",
                                       "device",
                                       "threads",
                                       "backward",
                                       "checkpoint",
                                       "checkpoint_interval",
                                       "resume",
                                       "progress_interval",
                                       "evaluation_interval",
                                       "keep_best",
                                       "lr_range_test",
                                       "lr_range_steps",
                                       "step_log",
                                       "tensorboard",
                                       "step_log_interval",
                                       "test",
                                       "model_version",
                                       "label",
                                       "max_damaged"};

absl::CommandLineFlag& Flag(const std::string& name) { return *absl::FindCommandLineFlag(name); }

std::string CheckpointPath() {
  const std::string path = absl::GetFlag(FLAGS_checkpoint);
  if (path == "none") return "";
  return path.empty() ? WithEnding(absl::GetFlag(FLAGS_out), ".ckpt") : path;
}

absl::StatusOr<TrainerOptions> OptionsFromFlags() {
  absl::StatusOr<Recipe> recipe = ParseRecipe(absl::GetFlag(FLAGS_recipe));
  if (!recipe.ok()) return recipe.status();
  const std::string optimizer = absl::GetFlag(FLAGS_optimizer);
  if (optimizer != "adamw" && optimizer != "sgd") {
    return absl::InvalidArgumentError(absl::StrCat("optimizer '", optimizer, "' is not adamw or sgd"));
  }
  const std::string backward = absl::GetFlag(FLAGS_backward);
  if (backward != "float" && backward != "bfloat16") {
    return absl::InvalidArgumentError(absl::StrCat("backward '", backward, "' is not float or bfloat16"));
  }
  absl::StatusOr<Augmentation> augmentation = ParseAugmentation(absl::GetFlag(FLAGS_augment));
  if (!augmentation.ok()) return augmentation.status();
  return TrainerOptions{.recipe = *std::move(recipe),
                        .start_steps = absl::GetFlag(FLAGS_start_steps),
                        .joint_steps = absl::GetFlag(FLAGS_joint_steps),
                        .batch = absl::GetFlag(FLAGS_batch),
                        .sgd = optimizer == "sgd",
                        .bfloat16_backward = backward == "bfloat16",
                        .learning_rate = absl::GetFlag(FLAGS_learning_rate),
                        .joint_learning_rate = absl::GetFlag(FLAGS_joint_learning_rate),
                        .momentum = absl::GetFlag(FLAGS_momentum),
                        .weight_decay = absl::GetFlag(FLAGS_weight_decay),
                        .label_smoothing = absl::GetFlag(FLAGS_label_smoothing),
                        .ema = absl::GetFlag(FLAGS_ema),
                        .augmentation = *augmentation,
                        .held_out = absl::GetFlag(FLAGS_held_out),
                        .norm_batches = absl::GetFlag(FLAGS_norm_batches),
                        .seed = absl::GetFlag(FLAGS_seed),
                        .device = absl::GetFlag(FLAGS_device),
                        .threads = absl::GetFlag(FLAGS_threads),
                        .checkpoint = CheckpointPath(),
                        .checkpoint_interval = absl::GetFlag(FLAGS_checkpoint_interval),
                        .resume = absl::GetFlag(FLAGS_resume),
                        .progress_interval = absl::GetFlag(FLAGS_progress_interval),
                        .evaluation_interval = absl::GetFlag(FLAGS_evaluation_interval),
                        .keep_best = absl::GetFlag(FLAGS_keep_best),
                        .step_log = absl::GetFlag(FLAGS_step_log),
                        .tensorboard = absl::GetFlag(FLAGS_tensorboard),
                        .step_log_interval = absl::GetFlag(FLAGS_step_log_interval),
                        .sync_norm = absl::GetFlag(FLAGS_sync_norm)};
}

}  // namespace

absl::Status ApplyConfig(int argc, char** argv) {
  std::string path;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (!absl::ConsumePrefix(&argument, "--") && !absl::ConsumePrefix(&argument, "-")) continue;
    if (argument == "config" && i + 1 < argc) path = argv[i + 1];
    if (absl::ConsumePrefix(&argument, "config=")) path = std::string(argument);
  }
  if (path.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  std::vector<std::string> known(std::begin(kDecidingFlags), std::end(kDecidingFlags));
  known.insert(known.begin(), std::begin(kOtherFlags), std::end(kOtherFlags));
  const absl::StatusOr<std::vector<ConfigEntry>> entries = ParseConfig(*text, known, path);
  if (!entries.ok()) return entries.status();
  for (const ConfigEntry& entry : *entries) {
    std::string error;
    if (Flag(entry.key).ParseFrom(entry.value, &error)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", entry.line, ": ", entry.key, " = ", entry.value, ": ", error));
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainRequest> RequestFromFlags() {
  absl::StatusOr<std::vector<PointRecipe>> points = ParsePoints(absl::GetFlag(FLAGS_points));
  if (!points.ok()) return points.status();
  absl::StatusOr<TrainerOptions> options = OptionsFromFlags();
  if (!options.ok()) return options.status();
  TrainRequest request{.architecture = absl::GetFlag(FLAGS_arch),
                       .data = absl::GetFlag(FLAGS_data),
                       .points = *std::move(points),
                       .options = *std::move(options),
                       .start = absl::GetFlag(FLAGS_start),
                       .out = absl::GetFlag(FLAGS_out),
                       .report = absl::GetFlag(FLAGS_report),
                       .label = absl::GetFlag(FLAGS_label),
                       .test = absl::GetFlag(FLAGS_test),
                       .max_damaged = absl::GetFlag(FLAGS_max_damaged),
                       .model_version = absl::GetFlag(FLAGS_model_version),
                       .keeps_checkpoint = !absl::GetFlag(FLAGS_checkpoint).empty()};
  if (const std::string range = absl::GetFlag(FLAGS_lr_range_test); !range.empty()) {
    absl::StatusOr<RateRange> parsed = ParseRateRange(range, absl::GetFlag(FLAGS_lr_range_steps));
    if (!parsed.ok()) return parsed.status();
    request.rate_range = *parsed;
  }
  if (request.report.empty()) request.report = WithEnding(request.out, ".json");
  if (request.label.empty()) request.label = RecipeText(request.options.recipe);
  return request;
}

std::string CommandOf(const TrainRequest& request, const std::string& architecture) {
  std::string command = absl::StrCat("anybit-train --recipe=", RecipeText(request.options.recipe));
  if (const int processes = request.options.processes(); processes > 1) {
    command = absl::StrCat("torchrun --no-python --nproc-per-node=", processes, " ", command);
  }
  absl::StrAppend(&command, " --data=", NameOfData(request.data));
  for (const char* name : kDecidingFlags) {
    const std::string value = absl::string_view(name) == "arch" ? architecture : Flag(name).CurrentValue();
    if (!value.empty()) absl::StrAppend(&command, " --", name, "=", value);
  }
  if (!request.options.keep_best.empty()) {
    absl::StrAppend(&command, " --keep_best=", request.options.keep_best,
                    " --evaluation_interval=", request.options.evaluation_interval);
  }
  if (request.options.bfloat16_backward) absl::StrAppend(&command, " --backward=bfloat16");
  if (request.max_damaged > 0) absl::StrAppend(&command, " --max_damaged=", request.max_damaged);
  // Another number of threads may round sums in another way.
  if (request.options.threads > 0) absl::StrAppend(&command, " --threads=", request.options.threads);
  return command;
}

std::string WithEnding(const std::string& out, const std::string& ending) {
  return absl::StrCat(absl::StripSuffix(out, ".safetensors"), ending);
}

}  // namespace anybit::model::train
