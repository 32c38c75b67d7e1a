// The activations of a convolution other than ReLU (Activation of proto/artifact.proto).
#ifndef ANYBIT_MODEL_FORMAT_ACTIVATION_H_
#define ANYBIT_MODEL_FORMAT_ACTIVATION_H_

#include "absl/status/statusor.h"
#include "proto/artifact.pb.h"

namespace anybit::model {

using ActivationFunction = proto::Activation::Function;

struct Activation {
  ActivationFunction function = proto::Activation::NONE;  // NONE: a ReLU or nothing, as the node says
  float alpha = 0, beta = 0;

  bool is_none() const { return function == proto::Activation::NONE; }
  bool is_clip() const { return function == proto::Activation::CLIP; }
  // Whether integer points have a table for it.
  bool is_tabled() const { return !is_none() && !is_clip(); }
  // Whether it gives nothing below 0.
  bool is_non_negative() const;
  friend bool operator==(const Activation&, const Activation&) = default;
};

// Of alpha and beta: values of a network stay far below the square root of the largest float.
inline constexpr float kMaxActivationParameter = 1e6f;

// The function's value, with a relative error of a few 2^-24.
float Activate(const Activation& activation, float x);

// InvalidArgument for a function that this program does not know, or parameters that it does not accept.
absl::StatusOr<Activation> ReadActivation(const proto::Activation& activation);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_ACTIVATION_H_
