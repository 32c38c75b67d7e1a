#include "scheduler/scheduler.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// What each further request leaves of the memory of those answered in time: some of the last five hundred.
constexpr double kAttainedKept = 1 - 1.0 / 512;
constexpr double kLeastTold = 1e-3;

// The margin for the tail of batches is at most this part of the typical objective. A longer one would refuse more
// requests than it saves: with half of the objective kept for a tail of one batch in twenty, queues hold half as much.
constexpr int kTailPart = 4;

bool WeightsVary(const SchedulerOptions& options) {
  const std::vector<double>& weights = options.class_weights;
  const bool uniform = std::all_of(weights.begin(), weights.end(), [](double weight) { return weight == 1; });
  return !uniform || options.tenant_shares.size() > 1;
}

OutcomeKind KindOfRefusal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable: return OutcomeKind::kUnavailable;
    case absl::StatusCode::kDeadlineExceeded: return OutcomeKind::kExpired;
    case absl::StatusCode::kResourceExhausted: return OutcomeKind::kShed;
    default: return OutcomeKind::kFailed;
  }
}

}  // namespace

Scheduler::Scheduler(EventLoop& loop, BatchRunner& runner, const SchedulingPolicy& policy,
                     const AdmissionControl& admission, const Profile& profile,
                     std::vector<SchedulerObserver*> observers, SchedulerOptions options)
    : loop_(loop),
      runner_(runner),
      policy_(policy),
      admission_(admission),
      observers_(std::move(observers)),
      options_(std::move(options)),
      weights_vary_(WeightsVary(options_)),
      latency_(profile, options_.latency),
      hopeful_(profile, options_.latency),
      trials_(options_.trial_interval),
      aimd_(profile.max_batch),
      tenants_(options_.tenant_shares),
      queue_(PointSet::First(static_cast<int>(profile.points.size()))),
      running_(static_cast<size_t>(runner.slots())),
      last_points_(static_cast<size_t>(runner.slots())),
      slots_(static_cast<size_t>(runner.slots())) {}

RequestId Scheduler::Submit(SubmitRequest request, Done done) {
  const auto id = static_cast<RequestId>(last_id_.fetch_add(1, std::memory_order_relaxed) + 1);
  const MonoTime arrival = loop_.Now();
  loop_.Post([this, id, arrival, request = std::move(request), done = std::move(done)]() mutable {
    Arrive(id, arrival, std::move(request), std::move(done));
  });
  return id;
}

std::optional<Duration> Scheduler::RefuseEarly(MonoTime deadline) {
  const std::optional<Duration> retry_after = early_refusal_.Refuses(loop_.Now(), deadline);
  if (retry_after) refused_early_.fetch_add(1, std::memory_order_relaxed);
  return retry_after;
}

void Scheduler::ReportRefused(SlaClassId sla_class, TenantId tenant, int rows) {
  loop_.Post([this, sla_class, tenant, rows] {
    for (SchedulerObserver* observer : observers_) {
      observer->OnEnded({.at = loop_.Now(),
                         .kind = OutcomeKind::kShed,
                         .sla_class = sla_class,
                         .tenant = tenant,
                         .rows = rows,
                         .has_deadline = true});
    }
  });
}

void Scheduler::Cancel(RequestId id) {
  loop_.Post([this, id] { CancelNow(id); });
}

void Scheduler::Delivered(MonoTime ended, Duration at_least) {
  loop_.Post([this, took = std::max(loop_.Now() - ended, at_least)] {
    const MonoTime now = loop_.Now();
    deliveries_.Observe(took, now);
    for (SchedulerObserver* observer : observers_) observer->OnDelivered({.at = now, .took = took});
  });
}

void Scheduler::RefusalSent(MonoTime ended, Duration at_least) {
  loop_.Post([this, took = std::max(loop_.Now() - ended, at_least)] {
    backlog_.Observe(took, loop_.Now(), arrivals_.objective());
    if (!queue_.empty()) RequestStep();  // the wait may be over
  });
}

void Scheduler::CallExpiredUnseen() {
  loop_.Post([this] { backlog_.Observe(arrivals_.objective(), loop_.Now(), arrivals_.objective()); });
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
  if (const int refused = refused_early_.exchange(0, std::memory_order_relaxed); refused > 0) {
    arrivals_.Count(now, SaturatingAdd(now, arrivals_.objective()), refused);
  }
  Expire(now);
  MonoTime wake_at = kNever;
  const MonoTime wait_until = draining_ ? now : backlog_.WaitUntil(arrivals_.objective(), batch_ended_);
  if (!queue_.empty() && now < wait_until) {
    wake_at = wait_until;
  } else if (!queue_.empty() && running_batches_ < static_cast<int>(slots_.size())) {
    SchedulerView view = View(now);
    view.arrivals = arrivals_.Forecast(now);
    Decide(view, decision_);
    const bool nothing_runs = decision_.plans.empty() && decision_.wake_at == kNever;
    const bool trial = nothing_runs && !decision_.shed.empty() && TryOne(view);
    wake_at = decision_.wake_at;
    Apply(view, trial);
  }
  SetTimer(wake_at);
  if (draining_ || trials_.IsUnderWay(now)) {
    early_refusal_.Clear();
  } else {
    early_refusal_.Publish(View(now), deliveries_.margin(now), std::max(now, wait_until));
  }
  ReportQueue(now);
  ReportDrained();
}

void Scheduler::Arrive(RequestId id, MonoTime arrival, SubmitRequest submitted, Done done) {
  const MonoTime now = loop_.Now();
  latency_.Forget(now);  // a server that refuses all takes no other turn
  const MonoTime end = deliveries_.EndFor(submitted.deadline, now);
  Waiting waiting{.request = {.id = id,
                              .arrival = arrival,
                              .deadline = end,
                              .delivery = submitted.deadline - end,
                              .allowed = submitted.allowed,
                              .sla_class = submitted.sla_class,
                              .tenant = submitted.tenant,
                              .rows = submitted.rows},
                  .done = std::move(done),
                  .payload = std::move(submitted.payload)};
  arrivals_.Count(now, waiting.request.deadline, waiting.request.rows);
  const SchedulerView view = View(now);
  Admission admission = admission_.Admit(view, waiting.request);
  if (admission.predicted) {
    if (std::optional<Admission> hoped = Hope(view, waiting.request)) admission = *std::move(hoped);
  }
  if (!admission.status.ok()) {
    const OutcomeKind kind = KindOfRefusal(admission.status);
    if (admission.predicted && IsHopeful(view, waiting.request)) trials_.CountRefusal();
    const Duration retry_after = kind == OutcomeKind::kShed ? PredictedDrain(view) : Duration::zero();
    Refuse(now, std::move(waiting), kind, std::move(admission.status), retry_after);
    return;
  }
  if (admission.instead) PushOut(now, *admission.instead);
  const PendingRequest& request = waiting.request;
  for (SchedulerObserver* observer : observers_) {
    observer->OnAdmitted({.id = id,
                          .at = now,
                          .deadline = AnswerBy(request),
                          .sla_class = request.sla_class,
                          .tenant = request.tenant,
                          .rows = request.rows});
  }
  tenants_.Count(now, request.tenant, request.rows, arrivals_.objective());
  queue_.Insert(request);
  waiting_.emplace(id, std::move(waiting));
  RequestStep();
}

void Scheduler::PushOut(MonoTime now, int position) {
  const PendingRequest request = queue_.waiting()[static_cast<size_t>(position)];
  const Duration retry_after = PredictedDrain(View(now));
  Waiting waiting = TakeWaiting(request.id);
  queue_.Remove(request.deadline, request.id);
  tenants_.Count(now, request.tenant, -request.rows, arrivals_.objective());
  Refuse(now, std::move(waiting), OutcomeKind::kShed,
         absl::ResourceExhaustedError(absl::StrCat("made room for a request of more weight after ",
                                                   ToMicros(now - request.arrival), " us of waiting")),
         retry_after);
}

void Scheduler::CancelNow(RequestId id) {
  if (waiting_.contains(id)) {
    Waiting waiting = TakeWaiting(id);
    queue_.Remove(waiting.request.deadline, id);
    Refuse(loop_.Now(), std::move(waiting), OutcomeKind::kCancelled, absl::CancelledError("cancelled while waiting"));
    RequestStep();
    return;
  }
  for (Running& running : running_) {
    for (Member& member : running.members) {
      if (member.request.id == id) member.cancelled = true;
    }
  }
}

void Scheduler::Expire(MonoTime now) {
  std::vector<int> positions;
  std::vector<Waiting> expired;
  for (const PendingRequest& request : queue_.waiting()) {
    if (request.deadline > now) break;
    positions.push_back(static_cast<int>(positions.size()));
    expired.push_back(TakeWaiting(request.id));
  }
  queue_.RemoveAt(std::move(positions));
  for (Waiting& waiting : expired) {
    if (now < AnswerBy(waiting.request)) {  // it would be answered late, and may still ask elsewhere
      RefuseLate(now, std::move(waiting), PredictedDrain(View(now)));
      continue;
    }
    absl::Status status = absl::DeadlineExceededError(
        absl::StrCat("the deadline passed after ", ToMicros(now - waiting.request.arrival), " us of waiting"));
    Refuse(now, std::move(waiting), OutcomeKind::kExpired, std::move(status));
  }
}

void Scheduler::RefuseLate(MonoTime now, Waiting waiting, Duration retry_after) {
  absl::Status status = absl::ResourceExhaustedError(absl::StrCat(
      "no operating point can meet the deadline any more: ", ToMicros(Until(now, AnswerBy(waiting.request))),
      " us are left after ", ToMicros(now - waiting.request.arrival), " us of waiting"));
  Refuse(now, std::move(waiting), OutcomeKind::kShed, std::move(status), retry_after);
}

void Scheduler::Decide(const SchedulerView& view, Decision& decision) {
  decision.Clear();
  policy_.DecideInto(view, decision);
  const absl::Status status = check_(view, decision);
  if (status.ok()) return;
  ++replaced_decisions_;
  for (SchedulerObserver* observer : observers_) {
    observer->OnDecisionReplaced({.at = view.now, .policy = policy_.name(), .reason = status});
  }
  decision.Clear();
  fallback_.DecideInto(view, decision);
}

bool Scheduler::IsHopeful(const SchedulerView& view, const PendingRequest& request) const {
  return latency_.FastestHoped(request.allowed, request.rows) <= Slack(view, request);
}

const LatencyModel& Scheduler::HopefulModel(int permille) {
  if (permille != hopeful_permille_) hopeful_.AssumeProfileAt(permille);
  hopeful_permille_ = permille;
  return hopeful_;
}

std::optional<Admission> Scheduler::Hope(const SchedulerView& view, const PendingRequest& request) {
  const bool idle = running_batches_ < static_cast<int>(slots_.size());
  const bool hopeful = IsHopeful(view, request);
  if (idle && queue_.empty() && trials_.IsOpen(view.now, hopeful)) return Admission();
  if (idle || !trials_.IsUnderWay(view.now) || !hopeful) return std::nullopt;
  Admission hoped = admission_.Admit(View(view.now, HopefulModel(latency_.hoped_permille())), request);
  if (!hoped.status.ok()) return std::nullopt;
  return hoped;
}

bool Scheduler::TryOne(const SchedulerView& view) {
  // The one with the most time has the best prospects.
  const auto position = std::max_element(decision_.shed.begin(), decision_.shed.end(), [&](int a, int b) {
    return view.waiting[static_cast<size_t>(a)].deadline < view.waiting[static_cast<size_t>(b)].deadline;
  });
  const PendingRequest& request = view.waiting[static_cast<size_t>(*position)];
  bool hopeful = IsHopeful(view, request);
  std::optional<Plan> plan;
  if (hopeful && trials_.IsOpen(view.now, hopeful)) plan = PlanTrial(view, request, latency_.hoped_permille());
  if (!plan && trials_.IsOpen(view.now, /*hopeful=*/false)) {
    hopeful = false;
    plan = PlanTrial(view, request, latency_.PermilleWithin(request.allowed, request.rows, Slack(view, request)));
  }
  if (!plan) return false;
  trials_.Start(view.now, hopeful);
  decision_.AddPlan(plan->slot, plan->point, std::span(&*position, 1));
  decision_.shed.erase(position);
  return true;
}

std::optional<Plan> Scheduler::PlanTrial(const SchedulerView& view, const PendingRequest& request, int permille) {
  SchedulerView hoped = View(view.now, HopefulModel(permille));
  hoped.waiting = std::span(&request, 1);
  hoped.waiting_rows = request.rows;
  hoped.waiting_special = std::min(view.waiting_special, 1);
  hoped.hurry = true;
  Decide(hoped, trial_decision_);
  if (trial_decision_.plans.empty()) return std::nullopt;
  return trial_decision_.plans.front();
}

void Scheduler::Apply(const SchedulerView& view, bool trial) {
  const Decision& decision = decision_;
  const MonoTime now = view.now;
  std::vector<int> leaving = decision.shed;
  std::vector<Waiting> shed;
  for (const int position : decision.shed) {
    const PendingRequest& request = view.waiting[static_cast<size_t>(position)];
    if (IsHopeful(view, request)) trials_.CountRefusal();
    shed.push_back(TakeWaiting(request.id));
  }
  std::vector<std::vector<Waiting>> batches;
  for (const Plan& plan : decision.plans) {
    std::vector<Waiting>& members = batches.emplace_back();
    for (const int position : decision.MembersOf(plan)) {
      members.push_back(TakeWaiting(view.waiting[static_cast<size_t>(position)].id));
      leaving.push_back(position);
    }
  }
  queue_.RemoveAt(std::move(leaving));  // the view is stale from here on

  for (size_t i = 0; i < decision.plans.size(); ++i) {
    Dispatch(now, decision.plans[i].slot, decision.plans[i].point, std::move(batches[i]), trial);
  }
  if (shed.empty()) return;
  const Duration retry_after = PredictedDrain(View(now));
  for (Waiting& waiting : shed) RefuseLate(now, std::move(waiting), retry_after);
}

void Scheduler::Dispatch(MonoTime now, int slot, PointId point, std::vector<Waiting> members, bool trial) {
  Batch batch{.point = point, .priority = backlog_.Priority(arrivals_.objective(), now)};
  Running& running = running_[static_cast<size_t>(slot)];
  MonoTime earliest_deadline = kNever;
  for (Waiting& member : members) {
    earliest_deadline = std::min(earliest_deadline, member.request.deadline);
    batch.rows += member.request.rows;
    batch.members.push_back(std::move(member.payload));
    running.members.push_back({.request = member.request, .done = std::move(member.done)});
  }
  running.point = point;
  running.rows = batch.rows;
  running.dispatched_at = now;
  running.predicted = (trial ? hopeful_ : latency_).Predict(point, batch.rows);
  running.trial = trial;
  slots_[static_cast<size_t>(slot)] = {.idle = false, .free_at = SaturatingAdd(now, running.predicted)};
  ++running_batches_;
  for (SchedulerObserver* observer : observers_) {
    observer->OnDispatched({.at = now,
                            .slot = slot,
                            .point = point,
                            .point_accuracy = latency_.points()[static_cast<size_t>(ToIndex(point))].accuracy,
                            .requests = static_cast<int>(members.size()),
                            .rows = batch.rows,
                            .predicted = running.predicted,
                            .earliest_slack = Until(now, earliest_deadline)});
  }
  runner_.Run(slot, std::move(batch), [this, slot](BatchResult result) {
    loop_.Post([this, slot, result = std::move(result)]() mutable { FinishBatch(slot, std::move(result)); });
  });
}

void Scheduler::FinishBatch(int slot, BatchResult result) {
  const MonoTime now = loop_.Now();
  Running running = std::exchange(running_[static_cast<size_t>(slot)], Running());
  slots_[static_cast<size_t>(slot)] = {};
  --running_batches_;
  batch_ended_ = now;
  result.batch.members.resize(running.members.size());  // whatever the runner gave back, each member gets an answer

  const bool ok = result.status.ok();
  const Duration actual = now - running.dispatched_at;
  const bool knows_times =
      running.dispatched_at <= result.started && result.started <= result.finished && result.finished <= now;
  const Duration compute = knows_times ? result.finished - result.started : actual;
  bool all_in_time = true;
  for (Member& member : running.members) {
    member.in_time = now <= AnswerBy(member.request);
    all_in_time &= member.in_time;
    const OutcomeKind ran = ok ? OutcomeKind::kServed : OutcomeKind::kFailed;
    const OutcomeKind kind = member.cancelled ? OutcomeKind::kCancelled : ran;
    CountAttained(member.request, kind, member.in_time);
  }
  std::optional<PointId>& last_point = last_points_[static_cast<size_t>(slot)];
  const bool warm = last_point == running.point;
  last_point = running.point;
  if (arrivals_.objective() > Duration::zero()) latency_.LimitTail(arrivals_.objective() / kTailPart);
  if (ok && running.trial && all_in_time) {
    latency_.ObserveSuccess(running.point, running.rows, compute, now, actual - compute);
  } else if (ok) {
    latency_.Observe(running.point, running.rows, compute, now, actual - compute, warm);
  }
  if (running.trial) trials_.End(now, ok && all_in_time);
  for (SchedulerObserver* observer : observers_) {
    observer->OnBatchFinished({.at = now,
                               .slot = slot,
                               .point = running.point,
                               .rows = running.rows,
                               .predicted = running.predicted,
                               .actual = actual,
                               .computed = compute,
                               .ok = ok});
  }
  aimd_.Observe(all_in_time);
  // The slot gets its next batch before these answers go out: it computes meanwhile.
  RequestStep();
  ++unanswered_batches_;
  loop_.Post([this, now, running = std::move(running), result = std::move(result)]() mutable {
    Answer(now, std::move(running), std::move(result));
    --unanswered_batches_;
    ReportDrained();
  });
}

void Scheduler::Answer(MonoTime finished, Running running, BatchResult result) {
  const bool ok = result.status.ok();
  const double accuracy = latency_.points()[static_cast<size_t>(ToIndex(running.point))].accuracy;
  for (size_t i = 0; i < running.members.size(); ++i) {
    Member& member = running.members[i];
    Outcome outcome{.kind = ok ? OutcomeKind::kServed : OutcomeKind::kFailed,
                    .status = result.status,
                    .point = running.point,
                    .expected_accuracy = ok ? accuracy : 0,
                    .batch_rows = running.rows,
                    .queue_time = result.started - member.request.arrival,
                    .compute_time = result.finished - result.started,
                    .ended = finished,
                    .deadline_met = ok && member.in_time,
                    .payload = std::move(result.batch.members[i])};
    if (member.cancelled) {
      outcome = Outcome{.kind = OutcomeKind::kCancelled,
                        .status = absl::CancelledError("cancelled while running"),
                        .payload = std::move(outcome.payload)};
    }
    Finish(finished, member.request, std::move(outcome), std::move(member.done));
  }
}

void Scheduler::Finish(MonoTime now, const PendingRequest& request, Outcome outcome, Done done) {
  const bool has_deadline = request.deadline != kNever;
  for (SchedulerObserver* observer : observers_) {
    observer->OnEnded({.id = request.id,
                       .at = now,
                       .kind = outcome.kind,
                       .sla_class = request.sla_class,
                       .tenant = request.tenant,
                       .point = outcome.point,
                       .expected_accuracy = outcome.expected_accuracy,
                       .rows = request.rows,
                       .queue_time = outcome.queue_time,
                       .compute_time = outcome.compute_time,
                       .total_time = now - request.arrival,
                       .has_deadline = has_deadline,
                       .deadline_met = outcome.deadline_met});
  }
  std::move(done)(std::move(outcome));
}

void Scheduler::CountAttained(const PendingRequest& request, OutcomeKind kind, bool in_time) {
  const bool told = kind == OutcomeKind::kServed || kind == OutcomeKind::kShed || kind == OutcomeKind::kExpired;
  if (!told || request.deadline == kNever) return;
  // What becomes of a flood says nothing of those within their share.
  const auto tenant = static_cast<size_t>(request.tenant);
  if (tenant < tenants_.tenants().size() && tenants_.tenants()[tenant].weight < 1) return;
  const bool has_floor = request.allowed.size() < static_cast<int>(latency_.points().size());
  // Both fade together, or the more frequent ones would be judged by a shorter time than the others.
  for (Attained& attained : attained_) {
    if (attained.told < kLeastTold) continue;  // long gone; the share stays what it was
    attained.in_time *= kAttainedKept;
    attained.told *= kAttainedKept;
  }
  attained_[has_floor].in_time += in_time;
  attained_[has_floor].told += 1;
}

void Scheduler::Refuse(MonoTime now, Waiting waiting, OutcomeKind kind, absl::Status status, Duration retry_after) {
  CountAttained(waiting.request, kind, /*in_time=*/false);
  Finish(now, waiting.request,
         Outcome{.kind = kind,
                 .status = std::move(status),
                 .ended = now,
                 .retry_after = retry_after,
                 .payload = std::move(waiting.payload)},
         std::move(waiting.done));
}

void Scheduler::SetTimer(MonoTime wake_at) {
  const MonoTime next_deadline = queue_.empty() ? kNever : queue_.waiting().front().deadline;
  const MonoTime when = std::min(wake_at, next_deadline);
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
                         .waiting_requests = static_cast<int>(queue_.waiting().size()),
                         .waiting_rows = queue_.rows(),
                         .running_batches = running_batches_};
  const bool same = event.waiting_requests == reported_.waiting_requests &&
                    event.waiting_rows == reported_.waiting_rows && event.running_batches == reported_.running_batches;
  if (same) return;
  reported_ = event;
  for (SchedulerObserver* observer : observers_) observer->OnQueue(event);
}

void Scheduler::ReportDrained() {
  if (!queue_.empty() || running_batches_ > 0 || unanswered_batches_ > 0) return;
  for (auto& drained : std::exchange(drained_, {})) std::move(drained)();
}

SchedulerView Scheduler::View(MonoTime now, const LatencyModel& latency) const {
  return {.now = now,
          .waiting = queue_.waiting(),
          .waiting_rows = queue_.rows(),
          .waiting_special = queue_.special(),
          .slots = slots_,
          .latency = latency,
          .weights_vary = weights_vary_,
          .class_weights = options_.class_weights,
          .tenants = tenants_.tenants(),
          .attained_with_floor = attained_[1].share(),
          .attained_without_floor = attained_[0].share(),
          .aimd_rows = aimd_.rows(),
          .max_queue_requests = options_.max_queue_requests,
          .draining = draining_,
          .hurry = draining_ || !latency_.checked()};
}

Scheduler::Waiting Scheduler::TakeWaiting(RequestId id) {
  const auto found = waiting_.find(id);
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  return waiting;
}

}  // namespace anybit
