// How much memory is near the processor: blocking follows it.
#ifndef ANYBIT_MODEL_KERNELS_CPU_CACHE_SIZE_H_
#define ANYBIT_MODEL_KERNELS_CPU_CACHE_SIZE_H_

#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace anybit::model {

// Bytes of a core's second-level cache, 512 KiB where the system does not know it. The same on every call.
inline int64_t SecondLevelCacheBytes() {
  static const int64_t bytes = [] {
    const long known = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return known > 0 ? std::clamp<int64_t>(known, 256 << 10, 4 << 20) : 512 << 10;
  }();
  return bytes;
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_CACHE_SIZE_H_
