#include "model/train/convert/input_moments.h"

#include <algorithm>
#include <numeric>

namespace anybit::model::train {
namespace {

constexpr int64_t kMaxDepth = 4608;  // 3x3 of 512 channels: 85 MB

}  // namespace

InputMomentSums::InputMomentSums(const PlannedNode& node, int64_t rows, int64_t places) : node_(node) {
  const int64_t area = node.out.height * node.out.width;
  if (node.kind != NodeKind::kConv || node.of_sums || area == 1 || node.depth > kMaxDepth) return;
  const int64_t of_row = std::clamp<int64_t>(places / std::max<int64_t>(1, rows * node.frames), 1, area);
  // A stride without a common factor with the width visits all columns.
  int64_t stride = area / of_row;
  while (stride > 1 && std::gcd(stride, node.out.width) != 1) --stride;
  for (int64_t i = 0; i < of_row; ++i) outputs_.push_back((stride / 2 + i * stride) % area);
}

torch::Tensor InputMomentSums::Gather(const torch::Tensor& padded) const {
  const int64_t width = padded.size(3);
  const torch::Tensor flat = padded.to(torch::kFloat32).flatten(2);
  std::vector<torch::Tensor> parts;
  for (int ky = 0; ky < node_.kernel; ++ky) {
    for (int kx = 0; kx < node_.kernel; ++kx) {
      std::vector<int64_t> inputs;
      for (const int64_t output : outputs_) {
        const int64_t y = output / node_.out.width * node_.stride + ky,
                      x = output % node_.out.width * node_.stride + kx;
        inputs.push_back(y * width + x);
      }
      parts.push_back(flat.index_select(2, torch::tensor(inputs, torch::kInt64)));
    }
  }
  const torch::Tensor windows = torch::stack(parts, 1);  // [rows, k * k, C, places]
  const int64_t samples = windows.size(0) * windows.size(3);
  if (node_.depthwise) return windows.permute({2, 0, 3, 1}).reshape({windows.size(2), samples, windows.size(1)});
  return windows.permute({0, 3, 1, 2}).reshape({1, samples, windows.size(1) * windows.size(2)});
}

void InputMomentSums::Add(const torch::Tensor& padded) {
  if (outputs_.empty()) return;
  const torch::Tensor samples = Gather(padded);
  const torch::Tensor sums = samples.sum(1), squares = torch::bmm(samples.transpose(1, 2), samples);
  sums_ = count_ == 0 ? sums : sums_ + sums;
  squares_ = count_ == 0 ? squares : squares_ + squares;
  count_ += samples.size(1);
}

std::vector<float> InputMomentSums::Moments() const {
  if (count_ == 0) return {};
  const double count = static_cast<double>(count_);
  const torch::Tensor means = sums_ / count;
  const torch::Tensor moments = (squares_ / count - means.unsqueeze(2) * means.unsqueeze(1)).contiguous();
  const float* data = moments.const_data_ptr<float>();
  return {data, data + moments.numel()};
}

}  // namespace anybit::model::train
