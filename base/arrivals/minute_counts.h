// How counts per minute become instants: the resolution at which the Azure Functions trace records, whether it comes
// from its files or is made up in its likeness.
#ifndef ANYBIT_BASE_ARRIVALS_MINUTE_COUNTS_H_
#define ANYBIT_BASE_ARRIVALS_MINUTE_COUNTS_H_

#include <cstdint>
#include <random>
#include <vector>

#include "base/random.h"

namespace anybit {

// What one function was invoked in one minute.
struct MinuteCount {
  int64_t minute = 0;  // from 0
  int64_t count = 0;
  bool timer = false;  // its trigger
};

// Appends `count` instants, in minutes: those of a timer all at the minute's start, where clocks fire; others anywhere
// in the minute, uniformly and not ascending.
inline void AppendInstants(const MinuteCount& invoked, std::mt19937_64& random, std::vector<double>& instants) {
  const auto start = static_cast<double>(invoked.minute);
  for (int64_t i = 0; i < invoked.count; ++i) instants.push_back(invoked.timer ? start : start + UniformUnit(random));
}

}  // namespace anybit

#endif  // ANYBIT_BASE_ARRIVALS_MINUTE_COUNTS_H_
