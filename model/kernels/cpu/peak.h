// The highest speed that one core reaches, for comparison with the figures of benchmarks.
#ifndef ANYBIT_MODEL_KERNELS_CPU_PEAK_H_
#define ANYBIT_MODEL_KERNELS_CPU_PEAK_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// Multiplications a nanosecond of one core in the table's fastest exact inner loop: the best of 40 short measurements
// of a fraction of a millisecond.
inline double MeasurePeak(const KernelTable& kernels) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int i = 0; i < 40; ++i) {
    const auto start = Clock::now();
    const int64_t multiplications = kernels.spin(300);
    const double nanoseconds = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    best = std::max(best, static_cast<double>(multiplications) / nanoseconds);
  }
  return best;
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_PEAK_H_
