#include "model/train/trainer/accuracy.h"

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "base/point_id.h"
#include "model/engine/evaluate.h"
#include "model/engine/torch_network.h"

namespace anybit::model::train {

absl::Status MeasureAccuracies(Artifact& artifact, const ExampleSet& held_out, const std::atomic<int>* stop) {
  absl::StatusOr<std::unique_ptr<TorchNetwork>> simulation = TorchNetwork::Create(artifact);
  if (!simulation.ok()) return simulation.status();
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    if (stop != nullptr && *stop != 0) return absl::OkStatus();
    absl::StatusOr<double> accuracy = EvaluateTop1(**simulation, ToPointId(static_cast<int>(p)), held_out);
    if (!accuracy.ok()) return accuracy.status();
    artifact.points[p].info.accuracy = *accuracy;
    artifact.points[p].accuracy_images = held_out.count();
  }
  return absl::OkStatus();
}

std::string AccuracyText(const Artifact& artifact) {
  std::string text;
  for (const ArtifactPoint& point : artifact.points) {
    absl::StrAppendFormat(&text, "%s%s %.2f%%", text.empty() ? "" : " ", point.info.name, 100 * point.info.accuracy);
  }
  return text;
}

}  // namespace anybit::model::train
