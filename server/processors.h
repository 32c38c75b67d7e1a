// Which processors the threads of each slot run on: a slot that moves about loses its caches, and two on one wait for
// each other.
#ifndef ANYBIT_SERVER_PROCESSORS_H_
#define ANYBIT_SERVER_PROCESSORS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace anybit::server {

struct Processor {
  int number = 0;  // the system's
  int core = 0;    // processors of one core share its arithmetic units

  friend bool operator==(const Processor&, const Processor&) = default;
};

// Numbers of processors; empty: any.
using ProcessorSet = std::vector<int>;

// Those that the system lets the calling thread run on, by number; at least one.
std::vector<Processor> AllowedProcessors();

// How batches share the processors.
struct SlotLayout {
  int slots = 1;
  int threads_per_slot = 1;
  bool pin = true;
  std::string reason;  // for people: what was found, and what was chosen or given

  friend bool operator==(const SlotLayout&, const SlotLayout&) = default;
};

// What the operator has given; 0 or none: chosen.
struct SlotWishes {
  int slots = 0;
  int threads_per_slot = 0;
  std::optional<bool> pin;
};

// Fits slots and threads to `processors` (their number, at least 1) and to `quota`, the processor time per time that a
// control group allows. One or two processors: one slot of one thread, and the rest is for gRPC and the scheduler.
// More: one in eight, at least one, is left for those; up to eight slots share the others, and beyond that each gets
// more threads. Under a quota below the number of processors nothing is pinned: containers that share a machine would
// all pin to the same ones.
SlotLayout ChooseSlotLayout(int processors, std::optional<double> quota, const SlotWishes& wishes);

// A set of `threads_per_slot` processors for each slot, all disjoint: one processor of each core before a second of
// any, and what shares a core in the same set as far as dealing them out in order does that. No sets where they would
// not hold anybody back or cannot be made: a single slot wants all of `allowed`, or all slots together want more.
std::vector<ProcessorSet> AssignProcessors(const std::vector<Processor>& allowed, int slots, int threads_per_slot);

// Keeps the calling thread, and threads that it makes from now on, on `processors`. FailedPrecondition, naming them and
// the reason, if the system refuses; then nothing changes.
absl::Status PinThisThread(const ProcessorSet& processors);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PROCESSORS_H_
