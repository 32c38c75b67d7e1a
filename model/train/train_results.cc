#include "model/train/train_results.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/point_id.h"
#include "model/data/example_set.h"
#include "model/engine/evaluate.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/teacher_counts.h"
#include "model/train/training_page.h"

namespace anybit::model::train {
namespace {

void NoteTeachers(const TeacherCounts& counts, PointIndex student, const std::vector<PointRecipe>& points,
                  PointResult& result) {
  for (PointIndex teacher = 0; teacher < static_cast<PointIndex>(points.size()); ++teacher) {
    if (counts.Of(student, teacher) == 0) continue;
    TeacherSteps& steps = *result.add_teachers();
    steps.set_name(points[teacher].name);
    steps.set_steps(counts.Of(student, teacher));
  }
}

// Adds `trained`, whose points are those of `points`, to `run`. `test` may be null. `best`: it is the best of several
// networks of its run.
absl::Status NoteResults(TrainingResult& trained, const ExampleSet* test, const std::vector<PointRecipe>& points,
                         bool best, const std::atomic<int>& stop, TrainingRun& run) {
  Artifact& artifact = trained.artifact;
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
    if (best) result.set_best_step(trained.step);
    NoteTeachers(trained.teachers, static_cast<PointIndex>(p), points, result);
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

}  // namespace

absl::Status FinishRun(std::vector<TrainingResult> results, const Task& task, const TrainRequest& request,
                       TrainingRun run, std::ostream& shown) {
  const bool joint = request.options.recipe.joint;
  for (size_t i = 0; i < results.size(); ++i) {
    Artifact& artifact = results[i].artifact;
    const std::vector<PointRecipe> own = joint ? request.points : std::vector{request.points[i]};
    absl::Status status =
        NoteResults(results[i], task.test.get(), own, !request.options.keep_best.empty(), *request.options.stop, run);
    if (!status.ok()) return status;
    artifact.version = request.model_version;
    artifact.trained_with = run.command();
    const std::string path =
        joint ? request.out : WithEnding(request.out, absl::StrCat(".", request.points[i].name, ".safetensors"));
    if (status = WriteArtifact(artifact, path); !status.ok()) return status;
    shown << "wrote " << path << "\n";
  }
  if (absl::Status status = ReplaceFile(request.report, SerializeRun(run)); !status.ok()) return status;
  const TrainingRun runs[] = {run};
  shown << "wrote " << request.report << "\n\n" << TrainingPage("Training", runs);
  return absl::OkStatus();
}

}  // namespace anybit::model::train
