#include "scheduler/admission.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// What the slots still have to do.
struct Busy {
  Duration sum{};       // over slots
  Duration shortest{};  // until the first slot is free
};

Busy BusyTime(const SchedulerView& view) {
  Busy busy{.sum = Duration::zero(), .shortest = Duration::max()};
  for (const SlotView& slot : view.slots) {
    const Duration left = slot.idle ? Duration::zero() : std::max(Until(view.now, slot.free_at), Duration::zero());
    busy.sum += left;
    busy.shortest = std::min(busy.shortest, left);
  }
  return busy;
}

// The least time that the waiting requests with a deadline no later than `deadline` need of one slot.
Duration WorkAhead(const SchedulerView& view, MonoTime deadline) {
  Duration work{};
  PointSet allowed;           // neighbours mostly accept the same points
  Duration row_cost{};
  for (const PendingRequest& request : view.waiting) {
    if (request.deadline > deadline) break;
    if (!(request.allowed == allowed)) {
      allowed = request.allowed;
      row_cost = view.latency.RowCost(allowed);
    }
    work += row_cost * request.rows;
  }
  return work;
}

// A lower bound for the time until `request` can be answered, if nobody behind it is preferred.
Duration EarliestAnswer(const SchedulerView& view, const PendingRequest& request) {
  const Busy busy = BusyTime(view);
  const Duration own_start = busy.shortest + view.latency.Fastest(request.allowed, request.rows);
  const Duration work = busy.sum + WorkAhead(view, request.deadline) +
                        view.latency.RowCost(request.allowed) * request.rows;
  if (std::getenv("GRAN")) {
    const int B = view.latency.max_batch();
    double best = 1e18; int bb = 1; Duration bl{};
    for (int p = 0; p < (int)view.latency.points().size(); ++p) for (int b = 1; b <= B; ++b) {
      const double c = (double)view.latency.Predict(ToPointId(p), b).count() / b; if (c < best) { best = c; bb = b; bl = view.latency.Predict(ToPointId(p), b); } }
    int64_t k = 0; for (const PendingRequest& r : view.waiting) { if (r.deadline > request.deadline) break; ++k; }
    ++k;
    const int64_t nb = k / bb, rem = k % bb;
    const Duration t = busy.shortest + nb * bl + (rem ? view.latency.Fastest(request.allowed, rem) : Duration::zero());
    return std::max(own_start, t);
  }
  return std::max(own_start, work / static_cast<int64_t>(view.slots.size()));
}

}  // namespace

absl::Status AdmissionControl::Admit(const SchedulerView& view, const PendingRequest& request) const {
  const int points = static_cast<int>(view.latency.points().size());
  if (request.allowed.empty()) return absl::InvalidArgumentError("request accepts no operating point");
  if (!((request.allowed & PointSet::First(points)) == request.allowed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("request accepts operating points beyond the ", points, " that exist"));
  }
  if (request.rows < 1 || request.rows > view.latency.max_batch()) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch of ", request.rows, " is outside 1 to max batch size ", view.latency.max_batch()));
  }
  if (view.draining) return absl::UnavailableError("the server is draining");
  const Duration slack = Slack(view, request);
  if (slack <= Duration::zero()) {
    return absl::DeadlineExceededError(
        absl::StrCat("the deadline passed before admission: ", ToMicros(slack), " us are left"));
  }
  if (view.waiting.size() >= static_cast<size_t>(view.max_queue_requests)) {
    return absl::ResourceExhaustedError(absl::StrCat("queue of ", view.waiting.size(), " requests is full (limit ",
                                                     view.max_queue_requests, ")"));
  }
  if (request.deadline == kNever) return absl::OkStatus();
  const Duration earliest = EarliestAnswer(view, request);
  static const bool off = std::getenv("NOADM") != nullptr;
  static const double extra = std::getenv("ADMX") ? std::atof(std::getenv("ADMX")) : 0;
  const Duration tol(static_cast<int64_t>(extra * view.latency.RowCost(request.allowed).count() * view.latency.max_batch()));
  if (!off && earliest > slack + tol) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no operating point can meet the deadline: ", ToMicros(slack), " us are left, but behind ",
                     view.waiting.size(), " waiting requests an answer takes ", ToMicros(earliest), " us"));
  }
  return absl::OkStatus();
}

Duration PredictedDrain(const SchedulerView& view) {
  const PointSet all = PointSet::First(static_cast<int>(view.latency.points().size()));
  const Duration work = BusyTime(view).sum + view.latency.RowCost(all) * view.waiting_rows;
  return work / static_cast<int64_t>(view.slots.size());
}

}  // namespace anybit
