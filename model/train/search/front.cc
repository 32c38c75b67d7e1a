#include "model/train/search/front.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/train/search/route.h"
#include "model/train/search/score_points.h"

namespace anybit::model::train {
namespace {

absl::StatusOr<const BatchLatency*> BatchOf(const LayerLatency& latency, int rows) {
  for (const BatchLatency& batch : latency.batches) {
    if (batch.rows == rows && batch.whole.size() >= latency.rungs.size()) return &batch;
  }
  return absl::InvalidArgumentError(absl::StrCat("latencies: no whole runs of ", rows, " rows"));
}

std::string WithoutDigits(std::string name) {
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.pop_back();
  return name;
}

}  // namespace

absl::StatusOr<SearchReport> FrontOf(const Artifact& artifact, const LayerLatency& latency, int rows,
                                     const std::vector<std::string>& uniform, const ExampleSet& test,
                                     const KernelTable& kernels, int threads) {
  const absl::StatusOr<const BatchLatency*> batch = BatchOf(latency, rows);
  if (!batch.ok()) return batch.status();
  const absl::StatusOr<Ladder> ladder = FindRungs(artifact, latency.rungs);
  if (!ladder.ok()) return ladder.status();
  for (const std::string& name : uniform) {
    if (std::find(ladder->names.begin(), ladder->names.end(), name) != ladder->names.end()) continue;
    return absl::NotFoundError(
        absl::StrCat("no latency of uniform point '", name, "'; measured: ", absl::StrJoin(ladder->names, ", ")));
  }
  std::vector<ArtifactPoint> points;
  for (const int point : ladder->points) points.push_back(artifact.points[point]);
  const absl::StatusOr<std::vector<Score>> scores = ScorePoints(artifact, points, test, kernels, threads);
  if (!scores.ok()) return scores.status();
  SearchReport report{.method = "front", .network = artifact.spec.name(), .unit = "us", .test_images = test.count()};
  for (const bool searched : {false, true}) {
    for (size_t i = 0; i < points.size(); ++i) {
      const std::string& name = ladder->names[i];
      if ((std::find(uniform.begin(), uniform.end(), name) == uniform.end()) != searched) continue;
      SearchedPoint& point = report.points.emplace_back();
      point.name = name;
      point.cost = (*batch)->whole[i].measured_us;
      point.held_out = (*scores)[i];
      point.test = (*scores)[i].accuracy;
      point.right = (*scores)[i].right;
      if (!searched) continue;
      point.method = WithoutDigits(name);
      point.budget = point.cost;
    }
  }
  return report;
}

}  // namespace anybit::model::train
