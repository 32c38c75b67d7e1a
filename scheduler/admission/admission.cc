#include "scheduler/admission/admission.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace anybit::scheduler {
namespace {

// In overload a policy may give up requests that are nearly late, rather than serve them in a small batch. So requests
// behind them are not lost yet. With 0 here, refusals cost a thousandth of simulated utility.
constexpr int kBatchesGivenUp = 2;

// Deadlines come from clients and may be centuries away; multiplied by the slots they must not overflow.
constexpr Duration kMaxSlack = std::chrono::hours(24 * 365);

// The time that slots are still busy.
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

// The least time per row that neighbours need; they mostly accept the same points.
class RowCosts {
 public:
  explicit RowCosts(const LatencyTable& latency) : latency_(latency) {}
  Duration Of(PointSet allowed) {
    if (!(allowed == allowed_)) {
      allowed_ = allowed;
      cost_ = latency_.RowCost(allowed);
    }
    return cost_;
  }

 private:
  const LatencyTable& latency_;
  PointSet allowed_;
  Duration cost_{};
};

// How many of the waiting must run no later than `run_by`.
size_t CountAhead(const SchedulerView& view, MonoTime run_by) {
  const auto behind = std::upper_bound(view.waiting.begin(), view.waiting.end(), run_by,
                                       [](MonoTime d, const PendingRequest& r) { return d < r.run_by; });
  return static_cast<size_t>(behind - view.waiting.begin());
}

// The first heavier request of a later run_by that would be late behind the request, and was not before.
std::optional<size_t> HeavierMadeLate(const SchedulerView& view, const PendingRequest& request, Duration work,
                                      size_t ahead) {
  RowCosts costs(view.latency);
  const double weight = RequestWeight(view, request);
  const Duration own = costs.Of(request.allowed) * request.rows;
  for (size_t i = ahead; i < view.waiting.size() && view.waiting[i].run_by != kNever; ++i) {
    work += costs.Of(view.waiting[i].allowed) * view.waiting[i].rows;
    const Duration room = std::min(Slack(view, view.waiting[i]), kMaxSlack) * int64_t{std::ssize(view.slots)};
    if (work <= room && work + own > room && RequestWeight(view, view.waiting[i]) > weight) return i;
  }
  return std::nullopt;
}

// Of the first `count` waiting the lightest, the least urgent of several; none if all weigh as much as the request.
std::optional<int> LighterThan(const SchedulerView& view, const PendingRequest& request, size_t count) {
  if (!view.weights_vary) return std::nullopt;
  std::optional<int> lightest;
  double least = RequestWeight(view, request);
  for (size_t i = count; i-- > 0;) {
    const double weight = RequestWeight(view, view.waiting[i]);
    if (weight >= least) continue;
    least = weight;
    lightest = static_cast<int>(i);
  }
  return lightest;
}

absl::Status CheckRequest(const SchedulerView& view, const PendingRequest& request) {
  const int points = static_cast<int>(view.latency.points.size());
  if (request.allowed.empty()) return absl::InvalidArgumentError("request accepts no operating point");
  if (!((request.allowed & PointSet::First(points)) == request.allowed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("request accepts operating points beyond the ", points, " that exist"));
  }
  if (request.rows < 1 || request.rows > view.latency.max_batch) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch of ", request.rows, " is outside 1 to max batch size ", view.latency.max_batch));
  }
  if (view.draining) return absl::UnavailableError("the server is draining");
  if (const Duration slack = Slack(view, request); slack <= Duration::zero()) {
    return absl::DeadlineExceededError(
        absl::StrCat("the deadline passed before admission: ", ToMicros(slack), " us are left"));
  }
  return absl::OkStatus();
}

// Nothing that was measured and no profile lets it succeed, however short the queue.
absl::Status Impossible(const SchedulerView& view, const PendingRequest& request, Duration least) {
  return absl::DeadlineExceededError(
      absl::StrCat("no operating point can meet the deadline: ", ToMicros(Until(view.now, request.answer_by)),
                   " us are left, and ", request.rows, request.rows == 1 ? " row takes" : " rows take", " at least ",
                   ToMicros(least), " us on an idle server"));
}

absl::Status NoPointInTime(const SchedulerView& view, const PendingRequest& request, Duration earliest) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no operating point can meet the deadline: ", ToMicros(Until(view.now, request.answer_by)),
                   " us are left, but behind ", view.waiting.size(), " waiting requests an answer takes ",
                   ToMicros(earliest + (request.answer_by - request.run_by)), " us"));
}

}  // namespace

Admission AdmissionControl::Admit(const SchedulerView& view, const PendingRequest& request) const {
  if (absl::Status status = CheckRequest(view, request); !status.ok()) return {.status = std::move(status)};
  const Duration slack = Slack(view, request);
  const Busy busy = BusyTime(view);
  const Duration own_start = busy.shortest + view.latency.Fastest(request.allowed, request.rows);
  if (own_start > slack) {
    const Duration least = view.latency.FastestHoped(request.allowed, request.rows);
    const bool impossible = view.latency.measured && least > Until(view.now, request.answer_by);
    return {.status = impossible ? Impossible(view, request, least) : NoPointInTime(view, request, own_start),
            .predicted = true};
  }

  if (view.waiting.size() >= static_cast<size_t>(view.max_queue_requests)) {
    if (const std::optional<int> lighter = LighterThan(view, request, view.waiting.size())) return {.instead = lighter};
    return {.status = absl::ResourceExhaustedError(absl::StrCat(
                "queue of ", view.waiting.size(), " requests is full (limit ", view.max_queue_requests, ")")),
            .reason = ShedReason::kQueueFull};
  }
  if (request.run_by == kNever) return {};
  const size_t ahead = CountAhead(view, request.run_by);
  const Duration work = WorkBefore(view, ahead);
  const Duration needed = work + view.latency.RowCost(request.allowed) * request.rows;
  if (!Fits(needed, slack, static_cast<int>(view.slots.size()), MaxGivenUp(view, request.allowed))) {
    if (const std::optional<int> lighter = LighterThan(view, request, ahead)) return {.instead = lighter};
    return {.status = NoPointInTime(view, request, needed / static_cast<int64_t>(view.slots.size())),
            .predicted = true};
  }
  if (!view.weights_vary) return {};
  if (const std::optional<size_t> late = HeavierMadeLate(view, request, work, ahead)) {
    // Only a request before it gives it time.
    if (const std::optional<int> lighter = LighterThan(view, request, *late)) return {.instead = lighter};
    return {.status = absl::ResourceExhaustedError("a waiting request of more weight would miss its deadline"),
            .reason = ShedReason::kWeight};
  }
  return {};
}

Duration WorkOf(const SchedulerView& view, size_t first, size_t count) {
  RowCosts costs(view.latency);
  if (view.waiting_special == 0 && count > 0) return costs.Of(view.waiting[0].allowed) * static_cast<int64_t>(count);
  Duration work{};
  for (const PendingRequest& request : view.waiting.subspan(first, count)) {
    work += costs.Of(request.allowed) * request.rows;
  }
  return work;
}

Duration WorkBefore(const SchedulerView& view, size_t count) { return BusyTime(view).sum + WorkOf(view, 0, count); }

Duration MaxGivenUp(const SchedulerView& view, PointSet allowed) {
  return kBatchesGivenUp * view.latency.max_batch * view.latency.RowCost(allowed);
}

bool Fits(Duration work, Duration slack, int slots, Duration max_given_up) {
  const Duration bounded = std::min(slack, kMaxSlack);
  return work <= (bounded + std::min(max_given_up, bounded / 2)) * int64_t{slots};
}

Duration PredictedDrain(const SchedulerView& view) {
  const PointSet all = PointSet::First(static_cast<int>(view.latency.points.size()));
  const Duration work = BusyTime(view).sum + view.latency.RowCost(all) * view.waiting_rows;
  return work / static_cast<int64_t>(view.slots.size());
}

}  // namespace anybit::scheduler
