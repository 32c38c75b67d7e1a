#include "model/format/activation.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

using A = proto::Activation;

float At(A::Function function, float x, float alpha = 0, float beta = 0) {
  return Activate({.function = function, .alpha = alpha, .beta = beta}, x);
}

TEST(ActivationTest, ValuesAreThoseOfTheDefinitions) {
  EXPECT_EQ(At(A::CLIP, -1, 6), 0);
  EXPECT_EQ(At(A::CLIP, 5, 6), 5);
  EXPECT_EQ(At(A::CLIP, 7, 6), 6);
  EXPECT_EQ(At(A::HARD_SIGMOID, 1, 0.2f, 0.5f), 0.7f);
  EXPECT_EQ(At(A::HARD_SWISH, -3, 0), 0);
  EXPECT_NEAR(At(A::HARD_SWISH, -1.5f), -0.375, 1e-7);
  EXPECT_EQ(At(A::HARD_SWISH, 4), 4);
  EXPECT_EQ(At(A::SIGMOID, 0), 0.5f);
  EXPECT_NEAR(At(A::SILU, 1), 0.7310586, 1e-6);
  EXPECT_NEAR(At(A::GELU, 1), 0.8413447, 1e-6);
  EXPECT_NEAR(At(A::GELU_TANH, 1), 0.8411920, 1e-6);
  EXPECT_EQ(At(A::LEAKY_RELU, -2, 0.25f), -0.5f);
  EXPECT_NEAR(At(A::ELU, -1, 2), -1.2642411, 1e-6);
  EXPECT_NEAR(At(A::TANH, 0.5f), 0.4621172, 1e-6);
  EXPECT_NEAR(At(A::SOFTPLUS, 0), 0.6931472, 1e-6);
  EXPECT_NEAR(At(A::MISH, 1), 0.8650984, 1e-6);
}

TEST(ActivationTest, LargeValuesOverflowNothing) {
  for (int function = A::CLIP; function <= A::MISH; ++function) {
    for (const float x : {-1e6f, -1e3f, 1e3f, 1e6f}) {
      EXPECT_TRUE(std::isfinite(At(static_cast<A::Function>(function), x, 1, 0.5f))) << function << " of " << x;
    }
  }
}

TEST(ActivationTest, UnknownFunctionsAndSenselessParametersAreRefused) {
  proto::Activation activation;
  EXPECT_FALSE(ReadActivation(activation).ok());
  activation.set_function(static_cast<A::Function>(99));
  EXPECT_FALSE(ReadActivation(activation).ok());
  activation.set_function(A::CLIP);
  EXPECT_FALSE(ReadActivation(activation).ok()) << "a limit of 0";
  activation.set_alpha(6);
  EXPECT_TRUE(ReadActivation(activation).ok());
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), 1e7f}) {
    activation.set_alpha(bad);
    EXPECT_FALSE(ReadActivation(activation).ok()) << bad;
  }
}

}  // namespace
}  // namespace anybit::model
