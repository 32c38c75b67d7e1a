#include "model/train/trainer/gradient_meter.h"

#include <torch/torch.h>

#include <cmath>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

TEST(GradientMeter, MeasuresWhatEachPassAdds) {
  const torch::Tensor a = torch::zeros({2}).set_requires_grad(true), b = torch::zeros({1}).set_requires_grad(true);
  GradientMeter meter;
  EXPECT_EQ(meter.Added({a, b}), 0);
  (a * torch::tensor({3.0f, 4.0f})).sum().backward();
  EXPECT_DOUBLE_EQ(meter.Added({a, b}), 5);
  (a * torch::tensor({6.0f, 0.0f}) + b * 8).sum().backward();
  // b counts twice in the sum over two elements: 6 and 16.
  EXPECT_NEAR(meter.Added({a, b}), std::sqrt(36.0 + 256.0), 1e-9);
  EXPECT_EQ(meter.Added({a, b}), 0);
}

}  // namespace
}  // namespace anybit::model::train
