// anybit-train: trains an adaptive-bit-width network and writes its artifact.
//
// Several processes train one network if a launcher starts them with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set,
// as torchrun and Kubeflow's PyTorchJob do. The first process writes all files and all output.
//
// The tests start this binary on the CPU and cover resuming after SIGKILL and SIGTERM, also with two processes
// (anybit_train_*_test). `--device=cuda` takes the same path with tensors on the GPU (trainer/cuda_test.cc).
#include <malloc.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/signal_name.h"
#include "model/format/artifact.h"
#include "model/train/checkpoint_files.h"
#include "model/train/membership.h"
#include "model/train/program.h"
#include "model/train/recipe/recipe.h"
#include "model/train/resume_command.h"
#include "model/train/run_file.h"
#include "model/train/stop_signals.h"
#include "model/train/task.h"
#include "model/train/test_rates.h"
#include "model/train/train_flags.h"
#include "model/train/train_results.h"
#include "model/train/trainer/separate_training.h"
#include "model/train/trainer/start.h"
#include "model/train/trainer/trainer.h"
#include "model/train/trainer/trainer_options.h"
#include "model/train/trainer/training_result.h"
#include "model/train/whole_examples.h"

namespace anybit::model::train {
namespace {

absl::StatusOr<Artifact> ReadStart(const std::string& path, const NetworkSpec& spec) {
  absl::StatusOr<Artifact> artifact = ReadArtifact(path);
  if (artifact.ok() || absl::IsNotFound(artifact.status())) return artifact;
  absl::StatusOr<Artifact> checkpoint = FullPrecisionOf(path, spec);
  if (checkpoint.ok()) return checkpoint;
  return absl::InvalidArgumentError(absl::StrCat("'", path, "' is neither an artifact (", artifact.status().message(),
                                                 ") nor a checkpoint of this network (", checkpoint.status().message(),
                                                 ")"));
}

// The result of a joint run, or one result per point where they are trained separately.
absl::StatusOr<std::vector<TrainingResult>> TrainAll(const Task& task, const TrainRequest& request) {
  const TrainerOptions& options = request.options;
  const bool speaks = options.rank() == 0;
  std::ostream silent(nullptr);
  std::ostream& progress = speaks ? std::cerr : silent;
  const bool live = speaks && isatty(STDERR_FILENO);
  if (!options.recipe.joint) {
    return TrainSeparately(task.spec, request.points, *task.training, options, progress, live);
  }
  absl::StatusOr<TrainingResult> result = Train(task.spec, request.points, *task.training, options, progress, live);
  if (!result.ok()) return result.status();
  return std::vector{*std::move(result)};
}

// Makes malloc keep the memory of activations, which every pass frees. Returned to the system, its pages would be
// faulted in again in the next pass, which was measured to take a twentieth of a step.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // glibc's maximum
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 256 << 20);
}

// Detects paths that cannot be written before the hours of training.
absl::Status CheckOutputs(const TrainRequest& request) {
  const std::vector<std::string> paths =
      request.rate_range.has_value()
          ? std::vector{RateJsonPath(request), RateFigurePath(request)}
          : std::vector{request.out, request.report, request.options.checkpoint, request.options.step_log};
  for (const std::string& path : paths) {
    if (path.empty()) continue;
    if (absl::Status status = CheckReplaceable(path); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Trains, measures and writes. Cancelled where a signal ends the run.
absl::Status TrainAndFinish(const Task& task, const TrainRequest& request) {
  const TrainerOptions& options = request.options;
  // The time before a checkpoint is unknown.
  const bool whole = !options.resume || CheckpointFiles(options, request.points).empty();
  const std::clock_t begin = std::clock();
  absl::StatusOr<std::vector<TrainingResult>> results = TrainAll(task, request);
  if (!results.ok()) return results.status();
  TrainingRun run;
  if (whole) run.set_processor_seconds(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  run.set_recipe(request.label);
  run.set_network(task.architecture);
  run.set_images(NameOfData(request.data));
  run.set_seed(options.seed);
  run.set_command(CommandOf(request, task.architecture));
  if (options.rank() != 0) return absl::OkStatus();
  const absl::Status status = FinishRun(*std::move(results), task, request, std::move(run), std::cout);
  if (!status.ok()) return status;
  // Without a test, the run will be resumed for it.
  if (request.keeps_checkpoint || task.test == nullptr) return absl::OkStatus();
  std::error_code kept;
  for (const auto& [path, time] : CheckpointFiles(options, request.points)) std::filesystem::remove(path, kept);
  return absl::OkStatus();
}

// How the program ends, beside its status.
struct Ending {
  int signal = 0;       // the number of the signal that ended the run; 0: none
  bool silent = false;  // another process prints the error
  std::string advice;   // printed after the error
};

// Trains in the group of `membership`, of which all processes end alike. `command` is the program's own.
absl::Status RunToTheEnd(const Task& task, TrainRequest& request, const Membership& membership,
                         const std::vector<std::string>& command, Ending& ending) {
  TrainerOptions& options = request.options;
  const bool first = membership.launch.rank == 0;
  options.stop = HandleStopSignals(first);
  const auto before = CheckpointFiles(options, request.points);
  absl::Status status = TrainAndFinish(task, request);
  if (status.ok() || absl::IsCancelled(status)) status = EndTogether(membership, status, *options.stop);
  if (absl::IsCancelled(status)) {
    ending = {.signal = *options.stop, .silent = !first};
    status = absl::CancelledError(absl::StrCat(SignalName(ending.signal), ": ", status.message()));
  }
  // Resuming is of use after errors that may not occur again, if there is a checkpoint of this run.
  const bool resumable = !status.ok() && !absl::IsInvalidArgument(status) && !absl::IsAborted(status);
  const auto after = CheckpointFiles(options, request.points);
  if (first && resumable && !after.empty() && (options.resume || after != before)) {
    const int processes = options.processes();
    ending.advice = absl::StrCat("to go on", processes == 1 ? "" : absl::StrCat(", in all ", processes, " processes"),
                                 ": ", ResumeCommand(command), "\n");
  }
  return status;
}

// `command` is the program's own.
absl::Status Run(TrainRequest& request, const std::vector<std::string>& command, Ending& ending) {
  KeepFreedMemory();
  TrainerOptions& options = request.options;
  absl::StatusOr<Task> task =
      OpenTask(request.architecture, request.data, request.test ? TestRows::kNeeded : TestRows::kUnused);
  if (!task.ok()) return task.status();
  std::optional<Artifact> start;
  if (!request.start.empty()) {
    absl::StatusOr<Artifact> read = ReadStart(request.start, task->spec);
    if (!read.ok()) return read.status();
    start = *std::move(read);
    options.start = &*start;
  }
  absl::StatusOr<Membership> membership = JoinGroup(options.device);
  if (!membership.ok()) return membership.status();
  const bool first = membership->launch.rank == 0;
  options.group = membership->group.get();
  options.device = membership->device;
  if (first) {
    if (absl::Status status = CheckOutputs(request); !status.ok()) return status;
  }
  if (options.recipe.joint && !request.rate_range.has_value()) {
    absl::Status status = CheckOptions(task->spec, request.points, *task->training, options);
    if (!status.ok()) return status;
  }
  std::ostream silent(nullptr);
  std::ostream& log = first ? std::cerr : silent;
  log << "training rows: " << task->training->origin() << "\n";
  if (task->test != nullptr) log << "test rows: " << task->test->origin() << "\n";
  absl::Status status = KeepWholeExamples(*task, request.max_damaged, options.group, options.device, log);
  if (!status.ok()) return status;
  if (!request.rate_range.has_value()) return RunToTheEnd(*task, request, *membership, command, ending);
  return TestRates(*task, request, log, first && isatty(STDERR_FILENO), std::cout);
}

Program ThisProgram() {
  return {
      .name = "anybit-train",
      .usage = absl::StrCat(
          "anybit-train [--FLAG=VALUE...]: trains an adaptive-bit-width network and writes its artifact\n\n"
          "SIGTERM, Ctrl-C and SIGHUP end it after the current step: it saves a checkpoint, prints the command that\n"
          "resumes, and exits with 128 + the signal's number (143, 130, 129). A second signal ends it at once.\n\n"
          "Recipes: ",
          RecipeNames(), "\nand their keys, as in --recipe=coquant,teacher=closest,swap=0.3:\n", RecipeKeys()),
      .flags_file = "/train_flags.cc"};
}

int Main(int argc, char** argv) {
  const Program program = ThisProgram();
  const std::vector<std::string> command(argv, argv + argc);
  if (const absl::Status status = ApplyConfig(argc, argv); !status.ok()) EndForUsage(program, status);
  (void)ParseFlags(argc, argv, program);
  absl::StatusOr<TrainRequest> request = RequestFromFlags();
  if (!request.ok()) EndForUsage(program, request.status());
  Ending ending;
  const absl::Status status = Run(*request, command, ending);
  const int code = ending.silent ? 1 : ExitStatus(program, status);
  std::cerr << ending.advice;
  return ending.signal == 0 ? code : 128 + ending.signal;
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
