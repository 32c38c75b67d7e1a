// Requests that run together at one operating point.
#ifndef ANYBIT_SCHEDULER_BATCH_H_
#define ANYBIT_SCHEDULER_BATCH_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

// How a batch's thread stands to the threads that receive and answer calls, where they share processors.
enum class BatchPriority : uint8_t {
  kEqual,
  kBelowEdge,  // they have work that must not wait: see EdgeBacklog
};

struct Batch {
  PointId point{};
  BatchPriority priority = BatchPriority::kEqual;
  int rows = 0;                                   // the sum over members
  std::vector<std::unique_ptr<Payload>> members;  // in dispatch order, never empty
};

// The runner's answer: the same batch, its members filled where status is OK.
struct BatchResult {
  Batch batch;
  absl::Status status;
  MonoTime started{};
  MonoTime finished{};
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_BATCH_H_
