#include "model/train/trainer/loss_averages.h"

#include "absl/strings/str_format.h"

namespace anybit::model::train {

LossAverages::LossAverages(size_t points, const torch::Device& device)
    : losses_(torch::zeros({static_cast<int64_t>(points)}, torch::TensorOptions(device))) {}

void LossAverages::Add(PointIndex point, const torch::Tensor& loss) {
  torch::Tensor average = losses_[point];
  average.copy_(torch::where(average == 0, loss, 0.95 * average + 0.05 * loss));
}

std::string LossAverages::Text(const std::vector<PointRecipe>& points) const {
  const torch::Tensor losses = losses_.to(torch::kCPU);
  std::string text = "loss";
  for (size_t p = 0; p < points.size(); ++p) {
    const float loss = losses.const_data_ptr<float>()[p];
    if (loss != 0) absl::StrAppendFormat(&text, " %s %.3f", points[p].name, loss);
  }
  return text;
}

}  // namespace anybit::model::train
