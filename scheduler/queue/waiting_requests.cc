#include "scheduler/queue/waiting_requests.h"

#include <utility>

namespace anybit::scheduler {

void WaitingRequests::Insert(WaitingRequest waiting) {
  queue_.Insert(waiting.request);
  const RequestId id = waiting.request.id;
  requests_.emplace(id, std::move(waiting));
}

std::optional<WaitingRequest> WaitingRequests::Take(RequestId id) {
  auto node = requests_.extract(id);
  if (node.empty()) return std::nullopt;
  queue_.Remove(node.mapped().request.run_by, id);
  return std::move(node.mapped());
}

std::vector<WaitingRequest> WaitingRequests::TakeAt(std::span<const int> positions) {
  std::vector<WaitingRequest> taken;
  taken.reserve(positions.size());
  for (const int position : positions) {
    taken.push_back(std::move(requests_.extract(queue_.waiting()[static_cast<size_t>(position)].id).mapped()));
  }
  queue_.RemoveAt(std::vector<int>(positions.begin(), positions.end()));
  return taken;
}

std::vector<WaitingRequest> WaitingRequests::TakeExpired(MonoTime now) {
  std::vector<int> positions;
  for (const PendingRequest& request : queue_.waiting()) {
    if (request.run_by > now) break;
    positions.push_back(static_cast<int>(positions.size()));
  }
  return TakeAt(positions);
}

}  // namespace anybit::scheduler
