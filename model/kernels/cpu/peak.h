// The highest speed that one core reaches, for comparison with the figures of benchmarks.
#ifndef ANYBIT_MODEL_KERNELS_CPU_PEAK_H_
#define ANYBIT_MODEL_KERNELS_CPU_PEAK_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// A kernel of a table that does nothing but multiply: spin, spin_floats or spin_bfloats.
using Spin = int64_t (*)(int rounds);

// Multiplications a nanosecond of one run of `spin`.
inline double SpinRate(Spin spin, int rounds) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const int64_t multiplications = spin(rounds);
  const double nanoseconds = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  return static_cast<double>(multiplications) / nanoseconds;
}

// The highest of one core: the best of 40 short measurements of a fraction of a millisecond.
inline double MeasurePeak(Spin spin) {
  double best = 0;
  for (int i = 0; i < 40; ++i) best = std::max(best, SpinRate(spin, 300));
  return best;
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_PEAK_H_
