// Requests that run together at one operating point.
#ifndef ANYBIT_SCHEDULER_BATCH_H_
#define ANYBIT_SCHEDULER_BATCH_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/request.h"

namespace anybit {

struct Batch {
  PointId point{};
  int rows = 0;                                   // the sum over members
  std::vector<std::unique_ptr<Payload>> members;  // in dispatch order, never empty
};

// What a runner hands back: the same batch, its members filled where status is OK.
struct BatchResult {
  Batch batch;
  absl::Status status;
  MonoTime started{};
  MonoTime finished{};
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_BATCH_H_
