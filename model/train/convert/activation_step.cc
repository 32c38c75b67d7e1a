#include "model/train/convert/activation_step.h"

#include <algorithm>
#include <limits>

#include "model/format/requantize.h"

namespace anybit::model::train {

double StepError(std::span<const float> values, int highest, int zero, double step) {
  constexpr size_t kLanes = 16;  // partial sums, so that the compiler vectorises without reassociating one sum
  const float inverse = static_cast<float>(1 / step), size = static_cast<float>(step),
              top = static_cast<float>(highest);
  const float offset = static_cast<float>(zero), least = zero > 0 ? std::numeric_limits<float>::lowest() : 0.0f;
  double total = 0;
  constexpr size_t kBlock = 4096;
  for (size_t first = 0; first < values.size(); first += kBlock) {
    const std::span<const float> block = values.subspan(first, std::min(kBlock, values.size() - first));
    float sums[kLanes] = {};
    for (size_t i = 0; i < block.size(); i += kLanes) {
      const size_t lanes = std::min(kLanes, block.size() - i);
      for (size_t j = 0; j < lanes; ++j) {
        const float x = std::max(block[i + j], least);
        const float difference = x - size * (RoundClamped(x * inverse + offset, top) - offset);
        sums[j] += difference * difference;
      }
    }
    for (const float sum : sums) total += sum;
  }
  return values.empty() ? 0 : total / static_cast<double>(values.size());
}

double BestActivationStep(std::span<const float> values, int highest, int zero) {
  float largest = 0, smallest = 0;
  for (const float x : values) {
    largest = std::max(largest, x);
    smallest = std::min(smallest, x);
  }
  double widest = highest > zero ? static_cast<double>(largest) / (highest - zero) : 0;
  if (zero > 0) widest = std::max(widest, -static_cast<double>(smallest) / zero);
  if (!(widest > 0)) return 1;
  double best = widest, least = std::numeric_limits<double>::infinity();
  const auto search = [&](double from, double to, double ratio) {
    for (double step = from; step > to; step /= ratio) {
      const double error = StepError(values, highest, zero, step);
      if (error < least) {
        least = error;
        best = step;
      }
    }
  };
  search(widest * 1.2, widest / 100, 1.03);
  search(best * 1.03, best / 1.03, 1.003);
  return best;
}

}  // namespace anybit::model::train
