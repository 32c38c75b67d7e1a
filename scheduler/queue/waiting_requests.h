// The requests that wait, with their payloads and the callbacks of their callers.
//
// Policies look at RequestQueue; the rest of each request is kept beside it, so both always hold the same requests.
#ifndef ANYBIT_SCHEDULER_QUEUE_WAITING_REQUESTS_H_
#define ANYBIT_SCHEDULER_QUEUE_WAITING_REQUESTS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "base/time.h"
#include "scheduler/point_table.h"
#include "scheduler/queue/request_queue.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

struct WaitingRequest {
  PendingRequest request;
  absl::AnyInvocable<void(Outcome)> done;
  std::unique_ptr<Payload> payload;
};

class WaitingRequests {
 public:
  // `all` are the points that an ordinary request accepts.
  explicit WaitingRequests(PointSet all) : queue_(all) {}

  const RequestQueue& queue() const { return queue_; }

  // `request.id` does not wait yet.
  void Insert(WaitingRequest waiting);

  // Takes out the request with this id; nullopt if it does not wait.
  std::optional<WaitingRequest> Take(RequestId id);

  // Takes out the requests at these positions of queue().waiting(), each named once; they are returned in that order.
  std::vector<WaitingRequest> TakeAt(std::span<const int> positions);

  // Takes out the requests whose run_by is not after `now`, in order.
  std::vector<WaitingRequest> TakeExpired(MonoTime now);

 private:
  RequestQueue queue_;
  absl::flat_hash_map<RequestId, WaitingRequest> requests_;  // the same requests as queue_
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_QUEUE_WAITING_REQUESTS_H_
