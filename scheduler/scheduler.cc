#include "scheduler/scheduler.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::scheduler {
namespace {

// The margin for the tail of batches is at most the typical objective divided by this. A longer margin would refuse
// more requests than it saves: with half of the objective kept for a tail of one batch in twenty, queues hold half as
// much.
constexpr int kMaxTailDivisor = 4;

bool WeightsVary(const SchedulerOptions& options) {
  const std::vector<double>& weights = options.class_weights;
  const bool uniform = std::all_of(weights.begin(), weights.end(), [](double weight) { return weight == 1; });
  return !uniform || options.tenant_shares.size() > 1;
}

}  // namespace

Scheduler::Scheduler(EventLoop& loop, BatchRunner& runner, const SchedulingPolicy& policy,
                     const AdmissionControl& admission, const Profile& profile,
                     std::vector<SchedulerObserver*> observers, SchedulerOptions options)
    : loop_(loop),
      runner_(runner),
      admission_(admission),
      options_(std::move(options)),
      weights_vary_(WeightsVary(options_)),
      observers_(std::move(observers)),
      policy_(policy,
              [this](const SchedulerView& view, const absl::Status& reason) {
                observers_.OnDecisionReplaced({.at = view.now, .policy = policy_.policy().name(), .reason = reason});
              }),
      latency_(profile, options_.latency),
      trials_(profile, options_.latency, options_.trial_interval, admission_, policy_),
      aimd_(profile.max_batch),
      tenants_(options_.tenant_shares),
      waiting_(PointSet::First(static_cast<int>(profile.points.size()))),
      running_(runner.slots()),
      answers_(PointSet::First(static_cast<int>(profile.points.size())), tenants_, observers_) {}

RequestId Scheduler::Submit(SubmitRequest request, Done done) {
  const auto id = static_cast<RequestId>(last_id_.fetch_add(1, std::memory_order_relaxed) + 1);
  const MonoTime arrival = loop_.Now();
  loop_.Post([this, id, arrival, request = std::move(request), done = std::move(done)]() mutable {
    Arrive(id, arrival, std::move(request), std::move(done));
  });
  return id;
}

std::optional<Duration> Scheduler::RefuseEarly(MonoTime deadline) {
  const std::optional<Duration> retry_after = WouldRefuse(deadline);
  if (retry_after) CallRefused();
  return retry_after;
}

void Scheduler::ReportRefused(SlaClassId sla_class, TenantId tenant, int rows) {
  loop_.Post([this, sla_class, tenant, rows, reason = early_reason()] {
    observers_.OnEnded({.at = loop_.Now(),
                        .kind = OutcomeKind::kShed,
                        .shed_reason = reason,
                        .sla_class = sla_class,
                        .tenant = tenant,
                        .rows = rows,
                        .has_deadline = true});
  });
}

void Scheduler::Cancel(RequestId id) {
  loop_.Post([this, id] { CancelNow(id); });
}

void Scheduler::Delivered(MonoTime ended, Duration at_least) {
  loop_.Post([this, took = std::max(loop_.Now() - ended, at_least)] {
    const MonoTime now = loop_.Now();
    deliveries_.Observe(took, now);
    observers_.OnDelivered({.at = now, .took = took});
  });
}

void Scheduler::RefusalSent(MonoTime ended, Duration at_least) {
  loop_.Post([this, took = std::max(loop_.Now() - ended, at_least)] {
    backlog_.Observe(took, loop_.Now(), arrivals_.objective());
    if (!waiting_.queue().empty()) RequestStep();  // the wait may be over
  });
}

void Scheduler::CallExpiredUnseen() {
  loop_.Post([this] { backlog_.Observe(arrivals_.objective(), loop_.Now(), arrivals_.objective()); });
}

void Scheduler::CallSeenInTime() {
  loop_.Post([this] {
    backlog_.Observe(Duration::zero(), loop_.Now(), arrivals_.objective());
    if (!waiting_.queue().empty()) RequestStep();  // the wait is over
  });
}

void Scheduler::Drain(absl::AnyInvocable<void()> drained) {
  loop_.Post([this, drained = std::move(drained)]() mutable {
    draining_ = true;
    drained_.push_back(std::move(drained));
    RequestStep();
  });
}

void Scheduler::RequestStep() {
  if (step_requested_) return;
  step_requested_ = true;
  loop_.Post([this] {
    step_requested_ = false;
    Step();
  });
}

void Scheduler::Step() {
  const MonoTime now = loop_.Now();
  latency_.Forget(now);
  latency_.AtRest(IsAtRest(now));
  if (const int refused = refused_early_.exchange(0, std::memory_order_relaxed); refused > 0) {
    arrivals_.Count(now, SaturatingAdd(now, arrivals_.objective()), refused);
  }
  Expire(now);
  MonoTime wake_at = kNever;
  std::vector<WaitingRequest> shed;
  const MonoTime wait_until = draining_ ? now : backlog_.WaitUntil(arrivals_.objective(), running_.last_end());
  if (!waiting_.queue().empty() && now < wait_until) {
    wake_at = wait_until;
  } else if (!waiting_.queue().empty() && running_.AnySlotIdle()) {
    shed = DecideAndDispatch(now);
    wake_at = decision_.wake_at;
    latency_.AtRest(IsAtRest(now));  // what follows a batch does not begin at rest
  }
  const SchedulerView left = View(now);
  if (!shed.empty()) {
    const Duration retry_after = PredictedDrain(left);
    for (WaitingRequest& waiting : shed) answers_.RefuseLate(now, std::move(waiting), retry_after);
  }
  SetTimer(wake_at);
  if (draining_ || trials_.IsUnderWay(now)) {
    early_refusal_.Clear();
  } else {
    early_refusal_.Publish(left, deliveries_.margin(now), std::max(now, wait_until));
  }
  ReportQueue(now);
  ReportDrained();
}

std::vector<WaitingRequest> Scheduler::DecideAndDispatch(MonoTime now) {
  SchedulerView view = View(now);
  view.arrivals = arrivals_.Forecast(now);
  policy_.DecideInto(view, decision_);
  const bool nothing_runs = decision_.plans.empty() && decision_.wake_at == kNever;
  const auto view_with = [&](const LatencyTable& latency) { return View(now, latency); };
  const bool trial = nothing_runs && !decision_.shed.empty() && trials_.Start(view, decision_, view_with);
  return Apply(view, trial);
}

bool Scheduler::IsAtRest(MonoTime now) const {
  return running_.count() == 0 && SaturatingAdd(running_.last_end(), kRest) <= now;
}

void Scheduler::Arrive(RequestId id, MonoTime arrival, SubmitRequest submitted, Done done) {
  const MonoTime now = loop_.Now();
  latency_.Forget(now);  // a server that refuses all takes no other turn
  latency_.AtRest(IsAtRest(now));
  WaitingRequest waiting{.request = {.id = id,
                                     .arrival = arrival,
                                     .answer_by = submitted.deadline,
                                     .run_by = deliveries_.RunBy(submitted.deadline, now),
                                     .allowed = submitted.allowed,
                                     .sla_class = submitted.sla_class,
                                     .tenant = submitted.tenant,
                                     .rows = submitted.rows},
                         .done = std::move(done),
                         .payload = std::move(submitted.payload)};
  arrivals_.Count(now, waiting.request.run_by, waiting.request.rows);
  const SchedulerView view = View(now);
  Admission admission = admission_.Admit(view, waiting.request);
  if (admission.predicted) {
    const auto view_with = [&](const LatencyTable& latency) { return View(now, latency); };
    std::optional<Admission> hoped = trials_.Hope(view, waiting.request, view_with);
    if (hoped) admission = *std::move(hoped);
  }
  if (!admission.status.ok()) {
    if (admission.predicted) trials_.CountRefusal(view, waiting.request);
    const bool shed = absl::IsResourceExhausted(admission.status);
    const Duration retry_after = shed ? PredictedDrain(view) : Duration::zero();
    answers_.Refuse(now, std::move(waiting),
                    {.status = std::move(admission.status), .reason = admission.reason, .retry_after = retry_after});
    return;
  }
  if (admission.instead) PushOut(now, *admission.instead);
  const PendingRequest& request = waiting.request;
  observers_.OnAdmitted({.id = id,
                         .at = now,
                         .deadline = request.answer_by,
                         .sla_class = request.sla_class,
                         .tenant = request.tenant,
                         .rows = request.rows});
  tenants_.Count(now, request.tenant, request.rows, arrivals_.objective());
  waiting_.Insert(std::move(waiting));
  RequestStep();
}

void Scheduler::PushOut(MonoTime now, int position) {
  const Duration retry_after = PredictedDrain(View(now));
  WaitingRequest waiting = std::move(waiting_.TakeAt(std::span(&position, 1)).front());
  const PendingRequest& request = waiting.request;
  tenants_.Count(now, request.tenant, -request.rows, arrivals_.objective());
  absl::Status status = absl::ResourceExhaustedError(
      absl::StrCat("made room for a request of more weight after ", ToMicros(now - request.arrival), " us of waiting"));
  answers_.Refuse(now, std::move(waiting),
                  {.status = std::move(status), .reason = ShedReason::kWeight, .retry_after = retry_after});
}

void Scheduler::CancelNow(RequestId id) {
  if (std::optional<WaitingRequest> waiting = waiting_.Take(id)) {
    answers_.Refuse(loop_.Now(), *std::move(waiting), {.status = absl::CancelledError("cancelled while waiting")});
    RequestStep();
    return;
  }
  running_.Cancel(id);
}

void Scheduler::Expire(MonoTime now) {
  std::vector<WaitingRequest> expired = waiting_.TakeExpired(now);
  if (expired.empty()) return;
  const Duration retry_after = PredictedDrain(View(now));
  for (WaitingRequest& waiting : expired) answers_.RefuseLate(now, std::move(waiting), retry_after);
}

std::vector<WaitingRequest> Scheduler::Apply(const SchedulerView& view, bool trial) {
  for (const int position : decision_.shed) {
    trials_.CountRefusal(view, view.waiting[static_cast<size_t>(position)]);
  }
  // The requests to refuse, then the members of each plan. The view is stale once they have left.
  std::vector<int> leaving = decision_.shed;
  for (const Plan& plan : decision_.plans) {
    const std::span<const int> members = decision_.MembersOf(plan);
    leaving.insert(leaving.end(), members.begin(), members.end());
  }
  std::vector<WaitingRequest> taken = waiting_.TakeAt(leaving);
  std::span<WaitingRequest> members = std::span(taken).subspan(decision_.shed.size());
  for (const Plan& plan : decision_.plans) {
    const auto count = static_cast<size_t>(plan.count);
    Dispatch(view.now, plan.slot, plan.point, members.first(count), trial);
    members = members.subspan(count);
  }
  taken.resize(decision_.shed.size());
  return taken;
}

void Scheduler::Dispatch(MonoTime now, int slot, PointId point, std::span<WaitingRequest> members, bool trial) {
  Batch batch{.point = point, .priority = backlog_.Priority(arrivals_.objective(), now)};
  RunningBatch running{.point = point, .dispatched_at = now, .trial = trial, .rested = latency_.at_rest()};
  MonoTime earliest_run_by = kNever;
  PointSet allowed = PointSet::First(static_cast<int>(latency_.table().points.size()));
  for (WaitingRequest& member : members) {
    earliest_run_by = std::min(earliest_run_by, member.request.run_by);
    allowed = allowed & member.request.allowed;
    batch.rows += member.request.rows;
    batch.members.push_back(std::move(member.payload));
    running.members.push_back({.request = member.request, .done = std::move(member.done)});
  }
  running.rows = batch.rows;
  running.predicted = trial ? trials_.Predict(point, batch.rows) : latency_.table().Predict(point, batch.rows);
  const Duration predicted = running.predicted, slack = Until(now, earliest_run_by);
  running_.Start(slot, std::move(running));
  observers_.OnDispatched(
      {.at = now,
       .slot = slot,
       .point = point,
       .point_accuracy = latency_.table().AccuracyOf(point),
       .requests = static_cast<int>(members.size()),
       .rows = batch.rows,
       .predicted = predicted,
       .earliest_slack = slack,
       .switched = ReasonToLeave(std::exchange(last_point_, point), point, allowed, batch.rows, slack)});
  runner_.Run(slot, std::move(batch), [this, slot](BatchResult result) {
    loop_.Post([this, slot, result = std::move(result)]() mutable { FinishBatch(slot, std::move(result)); });
  });
}

std::optional<SwitchReason> Scheduler::ReasonToLeave(std::optional<PointId> from, PointId to, PointSet allowed,
                                                     int rows, Duration slack) const {
  if (!from.has_value() || *from == to) return std::nullopt;
  return ReasonOfSwitch(latency_.table(), *from, to, allowed, rows, slack);
}

void Scheduler::FinishBatch(int slot, BatchResult result) {
  const MonoTime now = loop_.Now();
  RunningBatch batch = running_.End(now, slot);
  result.batch.members.resize(batch.members.size());  // whatever the runner gave back, each member gets an answer

  const bool ok = result.status.ok();
  const Duration actual = now - batch.dispatched_at;
  const bool knows_times =
      batch.dispatched_at <= result.started && result.started <= result.finished && result.finished <= now;
  const Duration compute = knows_times ? result.finished - result.started : actual;
  const bool all_in_time = answers_.CountBatch(now, ok, batch);
  if (arrivals_.objective() > Duration::zero()) latency_.LimitTail(arrivals_.objective() / kMaxTailDivisor);
  if (ok) Learn(now, batch, compute, all_in_time);
  if (batch.trial) trials_.End(now, ok && all_in_time);
  observers_.OnBatchFinished({.at = now,
                              .slot = slot,
                              .point = batch.point,
                              .rows = batch.rows,
                              .predicted = batch.predicted,
                              .actual = actual,
                              .computed = compute,
                              .ok = ok});
  aimd_.Observe(all_in_time);
  RequestStep();
  // The slot gets its next batch before these answers go out: it computes meanwhile.
  PostAnswers(now, std::move(batch), std::move(result));
}

void Scheduler::Learn(MonoTime now, const RunningBatch& batch, Duration compute, bool all_in_time) {
  const Duration overhead = now - batch.dispatched_at - compute;
  if (batch.trial && all_in_time) {
    latency_.ObserveSuccess(batch.point, batch.rows, compute, now, overhead, batch.rested);
  } else {
    latency_.Observe(batch.point, batch.rows, compute, now, overhead, batch.warm, batch.rested);
  }
}

void Scheduler::PostAnswers(MonoTime ended, RunningBatch batch, BatchResult result) {
  ++unanswered_batches_;
  loop_.Post([this, ended, batch = std::move(batch), result = std::move(result)]() mutable {
    const double accuracy = latency_.table().AccuracyOf(batch.point);
    answers_.AnswerBatch(ended, std::move(batch), std::move(result), accuracy);
    --unanswered_batches_;
    ReportDrained();
  });
}

void Scheduler::SetTimer(MonoTime wake_at) {
  const RequestQueue& queue = waiting_.queue();
  const MonoTime next_run_by = queue.empty() ? kNever : queue.waiting().front().run_by;
  const MonoTime when = std::min(wake_at, next_run_by);
  if (when == timer_at_) return;
  if (timer_ != TimerId::kNone) loop_.Cancel(timer_);
  timer_ = TimerId::kNone;
  timer_at_ = when;
  if (when == kNever) return;
  timer_ = loop_.PostAt(when, [this] {
    timer_ = TimerId::kNone;
    timer_at_ = kNever;
    Step();
  });
}

void Scheduler::ReportQueue(MonoTime now) {
  const QueueEvent event{.at = now,
                         .waiting_requests = static_cast<int>(waiting_.queue().waiting().size()),
                         .waiting_rows = waiting_.queue().rows(),
                         .running_batches = running_.count()};
  const bool same = event.waiting_requests == reported_.waiting_requests &&
                    event.waiting_rows == reported_.waiting_rows && event.running_batches == reported_.running_batches;
  if (same) return;
  reported_ = event;
  observers_.OnQueue(event);
}

void Scheduler::ReportDrained() {
  if (!waiting_.queue().empty() || running_.count() > 0 || unanswered_batches_ > 0) return;
  for (auto& drained : std::exchange(drained_, {})) std::move(drained)();
}

SchedulerView Scheduler::View(MonoTime now, const LatencyTable& latency) const {
  return {.now = now,
          .waiting = waiting_.queue().waiting(),
          .waiting_rows = waiting_.queue().rows(),
          .waiting_special = waiting_.queue().special(),
          .slots = running_.slots(),
          .latency = latency,
          .weights_vary = weights_vary_,
          .class_weights = options_.class_weights,
          .tenants = tenants_.tenants(),
          .attained_with_floor = answers_.attainment().with_floor(),
          .attained_without_floor = answers_.attainment().without_floor(),
          .aimd_rows = aimd_.rows(),
          .max_queue_requests = options_.max_queue_requests,
          .draining = draining_,
          .hurry = draining_ || !latency_.checked()};
}

}  // namespace anybit::scheduler
