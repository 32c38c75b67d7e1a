// Counts allocations: a program that links this has its operator new replaced by one that counts.
#ifndef ANYBIT_MODEL_TESTING_ALLOCATION_COUNT_H_
#define ANYBIT_MODEL_TESTING_ALLOCATION_COUNT_H_

#include <cstdint>

namespace anybit {

// Since the program began, on all its threads; since the calling thread began, on it alone.
int64_t AllocationsOfProcess();
int64_t AllocationsOfThread();

}  // namespace anybit

#endif  // ANYBIT_MODEL_TESTING_ALLOCATION_COUNT_H_
