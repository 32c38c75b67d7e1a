#include "model/train/search/rank_agreement.h"

#include <cmath>
#include <cstdint>

namespace anybit::model::train {

double KendallTau(std::span<const double> a, std::span<const double> b) {
  int64_t order = 0, differ_a = 0, differ_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const int of_a = (a[i] > a[j]) - (a[i] < a[j]), of_b = (b[i] > b[j]) - (b[i] < b[j]);
      order += of_a * of_b;
      differ_a += of_a * of_a;
      differ_b += of_b * of_b;
    }
  }
  if (differ_a == 0 || differ_b == 0) return 0;
  return static_cast<double>(order) / std::sqrt(static_cast<double>(differ_a) * static_cast<double>(differ_b));
}

}  // namespace anybit::model::train
