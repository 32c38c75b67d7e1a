#include "model/engine/cuda/point_trials.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

namespace anybit::model::cuda {

using std::chrono::nanoseconds;

absl::Status PointTrials::MakeCandidates() {
  for (int layer = 0; layer < static_cast<int>(context_.plan.layers.size()); ++layer) {
    auto& candidates = candidates_.emplace_back();
    if (!HasPanel(context_.plan.layer(layer))) continue;
    for (const Algorithm algorithm : weights_.Algorithms(point_, layer)) {
      absl::StatusOr<std::shared_ptr<const DevicePanel>> panel = weights_.MakePanel(point_, layer, algorithm);
      if (!panel.ok()) return panel.status();
      candidates.push_back(*std::move(panel));
    }
  }
  return absl::OkStatus();
}

std::vector<int> PointTrials::counts() const {
  std::vector<int> counts;
  for (const auto& layer : candidates_) counts.push_back(static_cast<int>(layer.size()));
  return counts;
}

void PointTrials::Run(int size, std::span<const int> candidates, std::span<nanoseconds> times) {
  std::fill(times.begin(), times.end(), nanoseconds(0));
  if (status_.ok()) status_ = RunTrial(size, candidates, times);
}

absl::Status PointTrials::RunTrial(int size, std::span<const int> candidates, std::span<nanoseconds> times) {
  const std::vector<int> wanted(candidates.begin(), candidates.end());
  if (graph_ == nullptr || size != size_ || wanted != wanted_) {
    if (absl::Status status = Record(size, wanted); !status.ok()) return status;
    if (absl::Status status = CheckLogits(size, wanted); !status.ok()) return status;
  }
  absl::Status status = slot_.stream().RunGraph(*graph_);
  if (status.ok()) status = slot_.stream().Await();
  for (size_t layer = 0; layer < times.size() && status.ok(); ++layer) {
    const int node = context_.plan.layers[layer];
    const absl::StatusOr<nanoseconds> time = slot_.stream().TimeBetween(node, node + 1);
    if (!time.ok()) return time.status();
    times[layer] = *time;
  }
  return status;
}

absl::Status PointTrials::Record(int size, const std::vector<int>& candidates) {
  for (size_t layer = 0; layer < candidates.size(); ++layer) {
    if (!candidates_[layer].empty()) trial_.layers[layer].conv[size] = candidates_[layer][candidates[layer]];
  }
  absl::StatusOr<std::unique_ptr<DeviceGraph>> graph = slot_.stream().Record(
      [&](DeviceStream& stream) { return slot_.Enqueue(stream, point_, trial_, kChoiceRows[size], true); });
  if (!graph.ok()) return graph.status();
  graph_ = *std::move(graph);
  size_ = size;
  wanted_ = candidates;
  return absl::OkStatus();
}

absl::Status PointTrials::CheckLogits(int size, const std::vector<int>& candidates) {
  const int64_t count = kChoiceRows[size] * context_.plan.classes();
  std::vector<float>& expected = expected_[size];
  if (expected.empty()) {
    absl::Status status = slot_.Enqueue(slot_.stream(), point_, *panels_, kChoiceRows[size], false);
    if (status.ok()) status = slot_.stream().Await();
    if (!status.ok()) return status;
    expected.assign(slot_.output(), slot_.output() + count);
  }
  absl::Status status = slot_.stream().RunGraph(*graph_);
  if (status.ok()) status = slot_.stream().Await();
  if (!status.ok() || std::equal(expected.begin(), expected.end(), slot_.output())) return status;
  std::string names;
  for (size_t layer = 0; layer < candidates.size(); ++layer) {
    if (!candidates_[layer].empty()) absl::StrAppend(&names, " ", name(static_cast<int>(layer), candidates[layer]));
  }
  return absl::DataLossError(absl::StrCat("kernels disagree at point ",
                                          context_.artifact.points[ToIndex(point_)].info.name, ", ", kChoiceRows[size],
                                          " rows; by layer:", names));
}

}  // namespace anybit::model::cuda
