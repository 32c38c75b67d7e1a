// Which processors the threads of each slot run on: a slot that moves about loses its caches, and two on one wait for
// each other.
#ifndef ANYBIT_SERVER_PROCESSORS_H_
#define ANYBIT_SERVER_PROCESSORS_H_

#include <vector>

#include "absl/status/status.h"

namespace anybit {

struct Processor {
  int number = 0;   // the system's
  int core = 0;     // processors of one core share its arithmetic units

  friend bool operator==(const Processor&, const Processor&) = default;
};

// Numbers of processors; empty: any.
using ProcessorSet = std::vector<int>;

// Those that the system lets the calling thread run on, by number; at least one.
std::vector<Processor> AllowedProcessors();

// A set of `threads_per_slot` processors for each slot, all disjoint: one processor of each core before a second of
// any, and what shares a core in the same set as far as dealing them out in order does that. No sets where they would not hold anybody back
// or cannot be made: a single slot wants all of `allowed`, or all slots together want more.
std::vector<ProcessorSet> AssignProcessors(const std::vector<Processor>& allowed, int slots, int threads_per_slot);

// Keeps the calling thread, and threads that it makes from now on, on `processors`. FailedPrecondition, naming them and
// the reason, if the system refuses; then nothing changes.
absl::Status PinThisThread(const ProcessorSet& processors);

}  // namespace anybit

#endif  // ANYBIT_SERVER_PROCESSORS_H_
