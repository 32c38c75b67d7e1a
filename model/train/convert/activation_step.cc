#include "model/train/convert/activation_step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

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

ActivationRange BestActivationRange(std::span<const float> values, int highest) {
  float largest = 0, smallest = 0;
  for (const float x : values) {
    largest = std::max(largest, x);
    smallest = std::min(smallest, x);
  }
  if (smallest == 0) return {.step = BestActivationStep(values, highest), .zero = 0};
  const double widest = (static_cast<double>(largest) - smallest) / highest;
  ActivationRange best;
  double least = std::numeric_limits<double>::infinity();
  const auto search = [&](double from, double to, double ratio) {
    for (double step = from; step > to; step /= ratio) {
      const int nearest = static_cast<int>(std::nearbyint(std::min<double>(highest, -smallest / step)));
      for (const int zero : {nearest - 1, nearest, nearest + 1}) {
        // StepError takes a zero code of 0 for a ReLU, which sets what is below it to 0: the same as its lowest code.
        if (zero < 1 || zero > highest) continue;
        const double error = StepError(values, highest, zero, step);
        if (error >= least) continue;
        least = error;
        best = {.step = step, .zero = zero};
      }
    }
  };
  search(widest * 1.2, widest / 30, 1.05);
  search(best.step * 1.05, best.step / 1.05, 1.01);
  // With few codes it may be best to have none below 0.
  std::vector<float> positive(values.begin(), values.end());
  double cut = 0;
  for (float& x : positive) {
    cut += x < 0 ? static_cast<double>(x) * x : 0;
    x = std::max(x, 0.0f);
  }
  cut /= static_cast<double>(values.size());
  const double step = BestActivationStep(positive, highest);
  if (StepError(positive, highest, 0, step) + cut < least) best = {.step = step, .zero = 0};
  return best;
}

TableRange BestTableRange(std::span<const float> values, const std::function<float(float)>& function) {
  constexpr int kCodes = 256;
  if (values.empty()) return {};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  std::vector<float> wanted;
  for (const float x : values) wanted.push_back(function(x));
  const auto error_of = [&](const TableRange& range) {
    float table[kCodes];
    for (int i = 0; i < kCodes; ++i) table[i] = function(static_cast<float>(range.lo + i * range.step));
    double error = 0;
    const auto lo = static_cast<float>(range.lo), inverse = static_cast<float>(1 / range.step);
    for (size_t i = 0; i < values.size(); ++i) {
      const float got = table[static_cast<int>(RoundClamped((values[i] - lo) * inverse, kCodes - 1))];
      error += static_cast<double>(got - wanted[i]) * (got - wanted[i]);
    }
    return error;
  };
  double lo = *low, hi = std::max<double>(*high, lo + 1e-6);
  const auto range_of = [](double from, double to) {
    return TableRange{.lo = from, .step = (to - from) / (kCodes - 1)};
  };
  double least = error_of(range_of(lo, hi));
  // Each end moves towards the other as long as that helps.
  for (int round = 0; round < 2; ++round) {
    for (const bool lower : {true, false}) {
      const double width = hi - lo;
      for (double share = 0.05; share < 1; share += 0.05) {
        const double from = lower ? lo + share * width : lo, to = lower ? hi : hi - share * width;
        const double error = error_of(range_of(from, to));
        if (error > 4 * least) break;
        if (error >= least) continue;
        least = error;
        (lower ? lo : hi) = lower ? from : to;
      }
    }
  }
  return range_of(lo, hi);
}

}  // namespace anybit::model::train
