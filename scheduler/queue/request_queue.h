// The requests that wait, by (run_by, id), as one contiguous array that policies look at in place.
//
// A sorted vector with a moving front: arrivals mostly belong near the back and batches leave from the front, so both
// touch few entries, and a snapshot is a span.
#ifndef ANYBIT_SCHEDULER_QUEUE_REQUEST_QUEUE_H_
#define ANYBIT_SCHEDULER_QUEUE_REQUEST_QUEUE_H_

#include <cstddef>
#include <span>
#include <vector>

#include "scheduler/request.h"

namespace anybit::scheduler {

class RequestQueue {
 public:
  // `all` are the points that an ordinary request accepts.
  explicit RequestQueue(PointSet all) : all_(all) {}

  // `request.id` is not in the queue.
  void Insert(const PendingRequest& request);

  // Removes the request with this id and run_by; false if there is none.
  bool Remove(MonoTime run_by, RequestId id);

  // Removes the requests at these positions of waiting(), each named once, in any order.
  void RemoveAt(std::vector<int> positions);

  std::span<const PendingRequest> waiting() const { return std::span(requests_).subspan(front_); }
  bool empty() const { return front_ == requests_.size(); }
  int rows() const { return rows_; }
  // How many of the requests have several rows or do not accept all points.
  int special() const { return special_; }

 private:
  void DropUnusedFront();
  bool IsSpecial(const PendingRequest& request) const { return request.rows != 1 || !(request.allowed == all_); }

  const PointSet all_;
  std::vector<PendingRequest> requests_;  // [front_, end) is the queue
  size_t front_ = 0;
  int rows_ = 0;
  int special_ = 0;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_QUEUE_REQUEST_QUEUE_H_
