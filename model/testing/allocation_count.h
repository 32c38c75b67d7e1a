// Counts allocations. A program that links this gets an operator new that counts.
#ifndef ANYBIT_MODEL_TESTING_ALLOCATION_COUNT_H_
#define ANYBIT_MODEL_TESTING_ALLOCATION_COUNT_H_

#include <cstdint>

namespace anybit::model {

// Allocations since the program began, on all threads; since the calling thread began, on that thread.
int64_t AllocationsOfProcess();
int64_t AllocationsOfThread();

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_TESTING_ALLOCATION_COUNT_H_
