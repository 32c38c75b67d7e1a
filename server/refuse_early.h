// Whether a request is refused by its parameters alone: asked before its tensor is copied.
#ifndef ANYBIT_SERVER_REFUSE_EARLY_H_
#define ANYBIT_SERVER_REFUSE_EARLY_H_

#include <optional>

#include "absl/status/status.h"
#include "base/time.h"
#include "proto/inference.pb.h"
#include "scheduler/scheduler.h"
#include "server/served_model.h"

namespace anybit::server {

// A retry delay if every request with the parameters of `head` would be refused now. It is then reported to the
// scheduler's observers, with the rows of its shape; the caller ends it. `left`: until a deadline beside those of the
// parameters. None as well for parameters that are not valid, which the caller finds later. Any thread.
std::optional<Duration> RefuseEarly(scheduler::Scheduler& scheduler, const ServedModel& model,
                                    const inference::ModelInferRequest& head, MonoTime arrival,
                                    Duration left = Duration::max());

// The refusal of a request whose deadline the queue makes too late.
absl::Status TooLateStatus(Duration retry_after);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REFUSE_EARLY_H_
