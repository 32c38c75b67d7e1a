// Mean and deviation of each channel's values, collected in double from chunks.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_MOMENTS_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_MOMENTS_H_

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace anybit::model::train {

class Moments {
 public:
  explicit Moments(int64_t channels) : sums_(channels, 0.0), squares_(channels, 0.0) {}

  // values [rows, channels, ...], of float, double, int32 or int64.
  void Add(const torch::Tensor& values) {
    const torch::Tensor dense = values.contiguous();
    switch (dense.scalar_type()) {
      case torch::kFloat32: return AddValues(dense, dense.const_data_ptr<float>());
      case torch::kInt32: return AddValues(dense, dense.const_data_ptr<int32_t>());
      case torch::kInt64: return AddValues(dense, dense.const_data_ptr<int64_t>());
      default: {
        const torch::Tensor doubles = dense.to(torch::kFloat64);
        return AddValues(doubles, doubles.const_data_ptr<double>());
      }
    }
  }

  double mean(int64_t channel) const { return sums_[channel] / static_cast<double>(count_); }
  double deviation(int64_t channel) const {
    const double square = squares_[channel] / static_cast<double>(count_);
    return std::sqrt(std::max(0.0, square - mean(channel) * mean(channel)));
  }

 private:
  template <typename T>
  void AddValues(const torch::Tensor& values, const T* value) {
    const auto channels = static_cast<int64_t>(sums_.size());
    const int64_t rows = values.size(0), area = values.numel() / std::max<int64_t>(1, rows * channels);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < channels; ++c, value += area) AddRun(value, area, c);
    }
    count_ += rows * area;
  }

  template <typename T>
  void AddRun(const T* value, int64_t count, int64_t channel) {
    constexpr int64_t kLanes = 4;  // partial sums, so that one addition need not wait for the other
    double sums[kLanes] = {}, squares[kLanes] = {};
    for (int64_t i = 0; i < count; ++i) {
      const auto x = static_cast<double>(value[i]);
      sums[i % kLanes] += x;
      squares[i % kLanes] += x * x;
    }
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      sums_[channel] += sums[lane];
      squares_[channel] += squares[lane];
    }
  }

  std::vector<double> sums_, squares_;  // by channel
  int64_t count_ = 0;                   // values per channel
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_MOMENTS_H_
