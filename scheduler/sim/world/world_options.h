// The world around the simulated scheduler: an ideal one, where only batches take time, or that of a real server.
#ifndef ANYBIT_SCHEDULER_SIM_WORLD_WORLD_OPTIONS_H_
#define ANYBIT_SCHEDULER_SIM_WORLD_WORLD_OPTIONS_H_

#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace anybit::scheduler::sim {

enum class World : uint8_t {
  kIdeal,   // arrivals, refusals and answers cost nothing; an answer is there when its batch ends
  kServer,  // they take processor time from the slots and arrive later
};

// Which processor the edge works on. Each slot has one of its own.
enum class EdgeProcessor : uint8_t {
  kFirstSlot,  // that of slot 0: the server was given as many processors as slots, and something must run its threads
  kOwn,        // one more, which it has to itself
};

// All but `world` applies to kServer only. Costs are round figures of a real server, where an echo through gRPC takes
// about 30 us of a core.
struct WorldOptions {
  World world = World::kIdeal;
  EdgeProcessor edge = EdgeProcessor::kFirstSlot;
  Duration receive_cost = std::chrono::microseconds(20);  // of a call: read, parse, validate, submit
  Duration refuse_cost = std::chrono::microseconds(10);   // beyond that, of a call that is refused
  Duration answer_cost = std::chrono::microseconds(15);   // beyond that, of a call that is answered
  // From the edge to the caller: exponential with this median, at most `transmission_limit` (one in 256 by default).
  Duration transmission_median = std::chrono::microseconds(500);
  Duration transmission_limit = std::chrono::milliseconds(4);
  int stall_one_in = 100;                          // batches; 0: none
  Duration stall = std::chrono::milliseconds(20);  // such a batch ends so much later; its processor is free
  double noise = 0.1;                              // where SimulationOptions::noise is less
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_WORLD_WORLD_OPTIONS_H_
