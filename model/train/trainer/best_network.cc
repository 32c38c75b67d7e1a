#include "model/train/trainer/best_network.h"

#include <cmath>

#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {
namespace {

constexpr int64_t kStepUnit = 1'000'000;

}  // namespace

void CopyTensors(const NamedTensors& from, const NamedTensors& to) {
  torch::NoGradGuard no_gradient;
  for (size_t i = 0; i < from.size(); ++i) {
    torch::Tensor target = to[i].second;
    target.copy_(from[i].second.detach());
  }
}

int64_t CorrectAnswers(const Artifact& artifact, const std::string& by) {
  int64_t correct = 0;
  for (const ArtifactPoint& point : artifact.points) {
    if (by != kMeanOfPoints && by != point.info.name) continue;
    correct += std::llround(point.info.accuracy * static_cast<double>(point.accuracy_images));
  }
  return correct;
}

BestNetwork::BestNetwork(const NamedTensors& network) {
  for (const auto& [name, tensor] : network) {
    tensors_.emplace_back("best." + name, torch::zeros_like(tensor.detach()));
  }
  record_ = torch::zeros({3}, torch::TensorOptions(tensors_.front().second.device()));
}

bool BestNetwork::Offer(int64_t step, int64_t correct, const NamedTensors& network) {
  if (this->step() != 0 && static_cast<double>(correct) <= record_[2].item<double>()) return false;
  CopyTensors(network, tensors_);
  record_[0] = static_cast<double>(step / kStepUnit);
  record_[1] = static_cast<double>(step % kStepUnit);
  record_[2] = static_cast<double>(correct);
  return true;
}

int64_t BestNetwork::step() const { return record_[0].item<int64_t>() * kStepUnit + record_[1].item<int64_t>(); }

void BestNetwork::CopyInto(const NamedTensors& network) const { CopyTensors(tensors_, network); }

NamedTensors BestNetwork::State() const {
  NamedTensors state = tensors_;
  state.emplace_back("best", record_);
  return state;
}

}  // namespace anybit::model::train
