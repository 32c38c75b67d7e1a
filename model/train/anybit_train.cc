// anybit-train: trains an adaptive-bit-width network and writes its artifact.
//
// Several processes train one network if a launcher starts them with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set,
// as torchrun and Kubeflow's PyTorchJob do: the first one writes files and speaks.
//
// Tested: everything here on the CPU; resuming after SIGKILL and SIGTERM and two processes by starting this binary
// (anybit_train_test). `--device cuda` takes the same path with tensors on the GPU (trainer/cuda_test.cc, where there
// is one).
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/signal_name.h"
#include "model/data/augmentation.h"
#include "model/engine/evaluate.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/config_file.h"
#include "model/train/membership.h"
#include "model/train/program.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"
#include "model/train/report.h"
#include "model/train/resume_command.h"
#include "model/train/stop_signals.h"
#include "model/train/task.h"
#include "model/train/text_file.h"
#include "model/train/trainer/separate_training.h"
#include "model/train/trainer/start.h"
#include "model/train/trainer/trainer.h"
#include "model/train/trainer/trainer_options.h"
#include "model/train/whole_examples.h"

using anybit::TrainerOptions;

ABSL_FLAG(std::string, config, "", "file of `flag = value` lines; flags on the command line win over it");
ABSL_FLAG(std::string, recipe, "anybit", "training system: a name, or a name and `,key=value`s; see --help");
ABSL_FLAG(std::string, arch, "fashion",
          "architecture, see model/arch/registry.h; without classes= it has as many as the data");
ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "examples, see model/data/open_examples.h");
ABSL_FLAG(std::string, augment, anybit::ToText(TrainerOptions{}.augmentation),
          "changes of training rows, see model/data/augmentation.h; or none");
ABSL_FLAG(std::string, out, "network.safetensors",
          "artifact to write; of a recipe that trains points alone one per point, named *.<point>.safetensors");
ABSL_FLAG(std::string, report, "", "JSON file to write for anybit-train-report; empty: beside --out, named *.json");
ABSL_FLAG(std::string, points, anybit::kDefaultPoints, "operating points, see model/train/recipe/point_recipe.h");
ABSL_FLAG(std::string, start, "",
          "artifact with a full-precision point, or a checkpoint, whose float weights to start from");
ABSL_FLAG(int64_t, start_steps, TrainerOptions{}.start_steps, "steps at full precision before joint training");
ABSL_FLAG(int64_t, joint_steps, TrainerOptions{}.joint_steps, "steps of joint training");
ABSL_FLAG(int64_t, batch, TrainerOptions{}.batch, "images a step, of each process");
ABSL_FLAG(std::string, optimizer, "adamw", "adamw, or sgd with Nesterov momentum");
ABSL_FLAG(std::string, backward, "float",
          "float, or bfloat16: convolutions round the operands of their backward pass, which is faster with AVX-512 "
          "BF16 or AMX and emulated without");
ABSL_FLAG(double, learning_rate, TrainerOptions{}.learning_rate, "at its peak");
ABSL_FLAG(double, joint_learning_rate, TrainerOptions{}.joint_learning_rate,
          "of joint training, at its peak; 0: the same");
ABSL_FLAG(double, momentum, TrainerOptions{}.momentum, "of sgd");
ABSL_FLAG(double, weight_decay, TrainerOptions{}.weight_decay, "of the layers' weights");
ABSL_FLAG(double, label_smoothing, TrainerOptions{}.label_smoothing, "share of the labels spread over all classes");
ABSL_FLAG(double, ema, TrainerOptions{}.ema, "decay per step of averaged weights, which become the result; 0: none");
ABSL_FLAG(int64_t, held_out, TrainerOptions{}.held_out, "training images kept for validation");
ABSL_FLAG(int64_t, norm_batches, TrainerOptions{}.norm_batches,
          "batches that estimate batch norm after training, all in memory as bytes; 0: the running averages stay");
ABSL_FLAG(uint64_t, seed, TrainerOptions{}.seed, "of weights, order, augmentation, teachers and swaps");
ABSL_FLAG(std::string, device, TrainerOptions{}.device, "cpu, cuda, or cuda:1; cuda needs a build with --config=cuda");
ABSL_FLAG(bool, sync_norm, TrainerOptions{}.sync_norm,
          "batch norm over the images of all processes, else over each one's own");
ABSL_FLAG(int, threads, TrainerOptions{}.threads, "of LibTorch; 0: its own choice");
ABSL_FLAG(std::string, checkpoint, "",
          "file to save to every --checkpoint_interval steps and when a signal ends the run; empty: beside --out, "
          "named *.ckpt, and removed when all is done, the test included; none: no file");
ABSL_FLAG(int64_t, checkpoint_interval, TrainerOptions{}.checkpoint_interval, "steps");
ABSL_FLAG(bool, resume, false, "go on from --checkpoint");
ABSL_FLAG(int64_t, progress_interval, TrainerOptions{}.progress_interval,
          "steps between lines where there is no terminal");
ABSL_FLAG(
    int64_t, evaluation_interval, TrainerOptions{}.evaluation_interval,
    "steps between looks at the held-out images, with running batch norm, which may cost points of few bits a lot; "
    "0: only at the end");
ABSL_FLAG(bool, test, true, "measure the test images once, at the end; false: leave them alone, for runs to choose by");
ABSL_FLAG(int64_t, max_damaged, 0,
          "image files that may be damaged: they are named and left out; with more the run ends before its first step");
ABSL_FLAG(int64_t, version, 1, "model version on the wire");
ABSL_FLAG(std::string, label, "", "name of the run in reports, where runs of one name are averaged; empty: the recipe");

namespace anybit {
namespace {

// What decides the result; the other flags say where files lie and what is shown.
constexpr const char* kDeciding[] = {"arch",
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
constexpr const char* kOther[] = {"recipe",
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
                                  "test",
                                  "version",
                                  "label",
                                  "max_damaged"};

absl::CommandLineFlag& Flag(const std::string& name) { return *absl::FindCommandLineFlag(name); }

// The command that makes the same network again, wherever the data lie.
std::string Command(const Recipe& recipe, int processes) {
  std::string command = absl::StrCat("anybit-train --recipe=", RecipeText(recipe));
  if (processes > 1) command = absl::StrCat("torchrun --no-python --nproc-per-node=", processes, " ", command);
  absl::StrAppend(&command, " --data=", NameOfData(absl::GetFlag(FLAGS_data)));
  for (const char* name : kDeciding) {
    const std::string value = Flag(name).CurrentValue();
    if (!value.empty()) absl::StrAppend(&command, " --", name, "=", value);
  }
  if (const std::string backward = absl::GetFlag(FLAGS_backward); backward != "float") {
    absl::StrAppend(&command, " --backward=", backward);
  }
  if (const int64_t damaged = absl::GetFlag(FLAGS_max_damaged); damaged > 0) {
    absl::StrAppend(&command, " --max_damaged=", damaged);
  }
  // Sums of other numbers of threads may be rounded otherwise.
  if (const int threads = absl::GetFlag(FLAGS_threads); threads > 0) absl::StrAppend(&command, " --threads=", threads);
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
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  std::vector<std::string> known(std::begin(kDeciding), std::end(kDeciding));
  known.insert(known.begin(), std::begin(kOther), std::end(kOther));
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

absl::StatusOr<Artifact> ReadStart(const std::string& path, const NetworkSpec& spec) {
  absl::StatusOr<Artifact> artifact = ReadArtifact(path);
  if (artifact.ok() || absl::IsNotFound(artifact.status())) return artifact;
  absl::StatusOr<Artifact> checkpoint = FullPrecisionOf(path, spec);
  if (checkpoint.ok()) return checkpoint;
  return absl::InvalidArgumentError(absl::StrCat("'", path, "' is no artifact (", artifact.status().message(),
                                                 ") and no checkpoint of this network (", checkpoint.status().message(),
                                                 ")"));
}

// "dir/network.safetensors" to "dir/network" + `ending`.
std::string WithEnding(const std::string& out, const std::string& ending) {
  return absl::StrCat(absl::StripSuffix(out, ".safetensors"), ending);
}

// Notes in `run` what `artifact` reaches. The test set is touched here, once, after the last choice, by the engine that
// will serve, or not at all where `test` is null. Cancelled between two points where `stop` asks for it.
absl::Status NoteResults(Artifact& artifact, const ExampleSet* test, const std::vector<PointRecipe>& points,
                         const std::atomic<int>& stop, TrainingRun& run) {
  std::unique_ptr<PackedNetwork> engine;
  if (test != nullptr) {
    absl::StatusOr<std::unique_ptr<PackedNetwork>> created =
        PackedNetwork::Create(artifact, *SupportedKernels().front());
    if (!created.ok()) return created.status();
    engine = *std::move(created);
  }
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    ArtifactPoint& point = artifact.points[p];
    PointResult& result = *run.add_points() = ResultOf(points[p]);
    result.set_held_out_accuracy(point.info.accuracy);
    result.set_held_out_images(point.accuracy_images);
    if (test == nullptr) continue;
    if (stop != 0) return absl::CancelledError("stopped before the test was done");
    absl::StatusOr<double> accuracy = EvaluateTop1(*engine, ToPointId(static_cast<int>(p)), *test);
    if (!accuracy.ok()) return accuracy.status();
    result.set_test_accuracy(*accuracy);
    result.set_test_images(test->count());
    point.info.accuracy = *accuracy;
    point.accuracy_images = test->count();
  }
  return absl::OkStatus();
}

// One artifact, or one per point where they are trained alone.
absl::StatusOr<std::vector<Artifact>> TrainAll(const Task& task, const std::vector<PointRecipe>& points,
                                               const TrainerOptions& options) {
  const bool speaks = options.group == nullptr || options.group->rank() == 0;
  std::ostream silent(nullptr);
  std::ostream& progress = speaks ? std::cerr : silent;
  const bool live = speaks && isatty(STDERR_FILENO);
  if (!options.recipe.joint) return TrainSeparately(task.spec, points, *task.training, options, progress, live);
  absl::StatusOr<Artifact> artifact = Train(task.spec, points, *task.training, options, progress, live);
  if (!artifact.ok()) return artifact.status();
  std::vector<Artifact> artifacts;
  artifacts.push_back(*std::move(artifact));
  return artifacts;
}

// Where --checkpoint and --out say; empty for none.
std::string CheckpointPath() {
  const std::string path = absl::GetFlag(FLAGS_checkpoint);
  if (path == "none") return "";
  return path.empty() ? WithEnding(absl::GetFlag(FLAGS_out), ".ckpt") : path;
}

absl::StatusOr<TrainerOptions> ReadOptions(const Recipe& recipe) {
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
  return TrainerOptions{.recipe = recipe,
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
                        .sync_norm = absl::GetFlag(FLAGS_sync_norm)};
}

// Measures, writes and shows what was trained; `run` says how it was.
absl::Status Finish(std::vector<Artifact> artifacts, const Task& task, const std::vector<PointRecipe>& points,
                    const TrainerOptions& options, const std::string& report, TrainingRun run) {
  const std::string out = absl::GetFlag(FLAGS_out);
  for (size_t i = 0; i < artifacts.size(); ++i) {
    Artifact& artifact = artifacts[i];
    const std::vector<PointRecipe> own = options.recipe.joint ? points : std::vector{points[i]};
    if (absl::Status status = NoteResults(artifact, task.test.get(), own, *options.stop, run); !status.ok()) {
      return status;
    }
    artifact.version = absl::GetFlag(FLAGS_version);
    artifact.trained_with = run.command();
    const std::string path =
        options.recipe.joint ? out : WithEnding(out, absl::StrCat(".", points[i].name, ".safetensors"));
    if (absl::Status status = WriteArtifact(artifact, path); !status.ok()) return status;
    std::cout << "wrote " << path << "\n";
  }
  if (absl::Status status = WriteTextFile(report, SerializeRun(run)); !status.ok()) return status;
  const TrainingRun runs[] = {run};
  std::cout << "wrote " << report << "\n\n" << TrainingPage("Training", runs);
  return absl::OkStatus();
}

// Activations come and go with every pass. Given back to the system in between, their pages would be faulted in anew: a
// twentieth of a step's time.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // glibc's highest
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 256 << 20);
}

// Tries what would otherwise fail after hours of training.
absl::Status CheckOutputs(const std::string& report, const std::string& checkpoint) {
  for (const std::string& path : {absl::GetFlag(FLAGS_out), report, checkpoint}) {
    if (path.empty()) continue;
    if (absl::Status status = CheckWritable(path); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// The files of a run's checkpoints that exist, with their times: of the joint network, or of those trained separately.
std::map<std::string, std::filesystem::file_time_type> Checkpoints(const TrainerOptions& options,
                                                                   const std::vector<PointRecipe>& points) {
  std::map<std::string, std::filesystem::file_time_type> found;
  if (options.checkpoint.empty()) return found;
  std::vector<std::string> paths = {options.checkpoint};
  if (!options.recipe.joint) {
    paths = {absl::StrCat(options.checkpoint, ".", kStartName)};
    for (const PointRecipe& point : points) paths.push_back(absl::StrCat(options.checkpoint, ".", point.name));
  }
  for (const std::string& path : paths) {
    std::error_code none;
    const auto time = std::filesystem::last_write_time(path, none);
    if (!none) found.emplace(path, time);
  }
  return found;
}

// Trains, measures and writes. Cancelled where a signal asked for it.
absl::Status TrainAndFinish(const Task& task, const Recipe& recipe, const std::vector<PointRecipe>& points,
                            const TrainerOptions& options, const std::string& report) {
  // How long the part before a checkpoint took, nobody knows.
  const bool whole = !(options.resume && !Checkpoints(options, points).empty());
  const std::clock_t begin = std::clock();
  absl::StatusOr<std::vector<Artifact>> artifacts = TrainAll(task, points, options);
  if (!artifacts.ok()) return artifacts.status();
  TrainingRun run;
  if (whole) run.set_processor_seconds(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  const std::string label = absl::GetFlag(FLAGS_label);
  run.set_recipe(label.empty() ? RecipeText(recipe) : label);
  run.set_network(task.architecture);
  run.set_images(NameOfData(absl::GetFlag(FLAGS_data)));
  run.set_seed(options.seed);
  run.set_command(Command(recipe, options.processes()));
  if (options.rank() != 0) return absl::OkStatus();
  const absl::Status status = Finish(*std::move(artifacts), task, points, options, report, std::move(run));
  if (!status.ok()) return status;
  // A checkpoint that nobody asked for is of no use any more, unless the test is yet to come.
  if (!absl::GetFlag(FLAGS_checkpoint).empty() || task.test == nullptr) return absl::OkStatus();
  std::error_code kept;
  for (const auto& [path, time] : Checkpoints(options, points)) std::filesystem::remove(path, kept);
  return absl::OkStatus();
}

// Beside the status, how the program ends.
struct Ending {
  int signal = 0;       // the number of the one that ended the run; 0: none
  bool silent = false;  // another process speaks
  std::string advice;   // after the error
};

// `command` is the program's own.
absl::Status Main(const std::vector<std::string>& command, Ending& ending) {
  KeepFreedMemory();
  absl::StatusOr<Recipe> recipe = ParseRecipe(absl::GetFlag(FLAGS_recipe));
  if (!recipe.ok()) return recipe.status();
  absl::StatusOr<std::vector<PointRecipe>> points = ParsePoints(absl::GetFlag(FLAGS_points));
  if (!points.ok()) return points.status();
  absl::StatusOr<TrainerOptions> options = ReadOptions(*recipe);
  if (!options.ok()) return options.status();
  absl::StatusOr<Task> task = OpenTask(absl::GetFlag(FLAGS_arch), absl::GetFlag(FLAGS_data),
                                       absl::GetFlag(FLAGS_test) ? TestRows::kNeeded : TestRows::kUnused);
  if (!task.ok()) return task.status();
  absl::SetFlag(&FLAGS_arch, task->architecture);
  std::optional<Artifact> start;
  if (const std::string path = absl::GetFlag(FLAGS_start); !path.empty()) {
    absl::StatusOr<Artifact> read = ReadStart(path, task->spec);
    if (!read.ok()) return read.status();
    start = *std::move(read);
    options->start = &*start;
  }
  absl::StatusOr<Membership> membership = JoinGroup(options->device);
  if (!membership.ok()) return membership.status();
  const bool first = membership->launch.rank == 0;
  options->group = membership->group.get();
  options->device = membership->device;
  std::string report = absl::GetFlag(FLAGS_report);
  if (report.empty()) report = WithEnding(absl::GetFlag(FLAGS_out), ".json");
  if (first) {
    if (absl::Status status = CheckOutputs(report, options->checkpoint); !status.ok()) return status;
  }
  if (recipe->joint) {
    if (absl::Status status = CheckOptions(task->spec, *points, *task->training, *options); !status.ok()) return status;
  }
  std::ostream silent(nullptr);
  std::ostream& log = first ? std::cerr : silent;
  log << "training rows: " << task->training->origin() << "\n";
  if (task->test != nullptr) log << "test rows: " << task->test->origin() << "\n";
  absl::Status status =
      KeepWholeExamples(*task, absl::GetFlag(FLAGS_max_damaged), options->group, options->device, log);
  if (!status.ok()) return status;

  // From here on there is something to lose.
  options->stop = HandleStopSignals(first);
  const auto before = Checkpoints(*options, *points);
  status = TrainAndFinish(*task, *recipe, *points, *options, report);
  if (status.ok() || absl::IsCancelled(status)) status = EndTogether(*membership, status, *options->stop);
  if (absl::IsCancelled(status)) {
    ending = {.signal = *options->stop, .silent = !first};
    status = absl::CancelledError(absl::StrCat(SignalName(ending.signal), ": ", status.message()));
  }
  // What does not fit or diverges would do so again, and another run's checkpoint is of no use.
  const bool again = !status.ok() && !absl::IsInvalidArgument(status) && !absl::IsAborted(status);
  const auto after = Checkpoints(*options, *points);
  if (first && again && !after.empty() && (options->resume || after != before)) {
    const int processes = options->processes();
    ending.advice = absl::StrCat("to go on", processes == 1 ? "" : absl::StrCat(", in all ", processes, " processes"),
                                 ": ", ResumeCommand(command), "\n");
  }
  return status;
}

}  // namespace
}  // namespace anybit

int main(int argc, char** argv) {
  const std::vector<std::string> command(argv, argv + argc);
  absl::Status status = anybit::ApplyConfig(argc, argv);
  if (status.ok()) {
    status = anybit::ExpectNone(anybit::ParseFlags(
        argc, argv, "/anybit_train.cc",
        absl::StrCat("trains an adaptive-bit-width network and writes its artifact\n\n"
                     "SIGTERM, Ctrl-C and a lost terminal end it after the step that it is in: it saves, says how to "
                     "go on and exits with 128 + the signal's number (143, 130, 129). A second one ends it at once.\n\n"
                     "Recipes: ",
                     anybit::RecipeNames(), "\nand their keys, as in --recipe=coquant,teacher=closest,swap=0.3:\n",
                     anybit::RecipeKeys())));
  }
  anybit::Ending ending;
  if (status.ok()) status = anybit::Main(command, ending);
  const int code = ending.silent ? 1 : anybit::ExitStatus("anybit-train", status);
  std::cerr << ending.advice;
  return ending.signal == 0 ? code : 128 + ending.signal;
}
