#include "scheduler/queue/request_queue.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace anybit::scheduler {
namespace {

bool Before(const PendingRequest& a, const PendingRequest& b) {
  return std::pair(a.run_by, a.id) < std::pair(b.run_by, b.id);
}

}  // namespace

void RequestQueue::Insert(const PendingRequest& request) {
  const auto begin = requests_.begin() + static_cast<std::ptrdiff_t>(front_);
  requests_.insert(std::upper_bound(begin, requests_.end(), request, Before), request);
  rows_ += request.rows;
  special_ += IsSpecial(request);
}

bool RequestQueue::Remove(MonoTime run_by, RequestId id) {
  const auto begin = requests_.begin() + static_cast<std::ptrdiff_t>(front_);
  const PendingRequest key{.id = id, .run_by = run_by};
  const auto found = std::lower_bound(begin, requests_.end(), key, Before);
  if (found == requests_.end() || found->id != id || found->run_by != run_by) return false;
  RemoveAt({static_cast<int>(found - begin)});
  return true;
}

void RequestQueue::RemoveAt(std::vector<int> positions) {
  if (positions.empty()) return;
  std::sort(positions.begin(), positions.end());
  // Survivors move back over the gaps, from the last gap to the front: what lies behind the last gap stays.
  auto gap = positions.rbegin();
  size_t target = front_ + static_cast<size_t>(positions.back());
  for (size_t source = target + 1; source-- > front_;) {
    if (gap != positions.rend() && source == front_ + static_cast<size_t>(*gap)) {
      rows_ -= requests_[source].rows;
      special_ -= IsSpecial(requests_[source]);
      ++gap;
    } else {
      requests_[target--] = requests_[source];
    }
  }
  front_ += positions.size();
  DropUnusedFront();
}

void RequestQueue::DropUnusedFront() {
  // Half of the array at the least, so that each entry is moved at most once for each that left.
  if (front_ * 2 < requests_.size()) return;
  requests_.erase(requests_.begin(), requests_.begin() + static_cast<std::ptrdiff_t>(front_));
  front_ = 0;
}

}  // namespace anybit::scheduler
