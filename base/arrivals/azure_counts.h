// Counts per minute in the likeness of the Azure Functions trace; workloads.h describes them ("azure").
#ifndef ANYBIT_BASE_ARRIVALS_AZURE_COUNTS_H_
#define ANYBIT_BASE_ARRIVALS_AZURE_COUNTS_H_

#include <random>
#include <vector>

#include "base/arrivals/minute_counts.h"

namespace anybit {

// The counts of all functions, `count` in all, in the minutes [0, minutes).
std::vector<MinuteCount> AzureCounts(int count, int minutes, std::mt19937_64& random);

}  // namespace anybit

#endif  // ANYBIT_BASE_ARRIVALS_AZURE_COUNTS_H_
