// Mean and deviation of each channel's values, collected in double from chunks.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_MOMENTS_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_MOMENTS_H_

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace anybit::model::train {

class Moments {
 public:
  explicit Moments(int64_t channels)
      : sum_(torch::zeros({channels}, torch::kFloat64)), squares_(torch::zeros({channels}, torch::kFloat64)) {}

  // values [rows, channels, ...]
  void Add(const torch::Tensor& values) {
    const torch::Tensor flat = values.to(torch::kFloat64).transpose(0, 1).reshape({values.size(1), -1});
    sum_ += flat.sum(1);
    squares_ += (flat * flat).sum(1);
    count_ += flat.size(1);
  }

  double mean(int64_t channel) const { return sum_.const_data_ptr<double>()[channel] / static_cast<double>(count_); }
  double deviation(int64_t channel) const {
    const double square = squares_.const_data_ptr<double>()[channel] / static_cast<double>(count_);
    return std::sqrt(std::max(0.0, square - mean(channel) * mean(channel)));
  }

 private:
  torch::Tensor sum_, squares_;  // [channels]
  int64_t count_ = 0;            // values per channel
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_MOMENTS_H_
