#include "scheduler/admission/trials.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

namespace anybit::scheduler {

bool IsHopeful(const SchedulerView& view, const PendingRequest& request) {
  return view.latency.FastestHoped(request.allowed, request.rows) <= Slack(view, request);
}

Trials::Trials(const Profile& profile, const LatencyModelOptions& latency, Duration interval,
               const AdmissionControl& admission, CheckedPolicy& policy)
    : admission_(admission), policy_(policy), gate_(interval), hopeful_(profile, latency) {}

const LatencyTable& Trials::TableAt(int permille) {
  if (permille != hopeful_permille_) hopeful_.AssumeProfileAt(permille);
  hopeful_permille_ = permille;
  return hopeful_.table();
}

std::optional<Admission> Trials::Hope(const SchedulerView& view, const PendingRequest& request, ViewWith view_with) {
  const bool idle = std::any_of(view.slots.begin(), view.slots.end(), [](const SlotView& slot) { return slot.idle; });
  const bool hopeful = IsHopeful(view, request);
  if (idle && view.waiting.empty() && gate_.IsOpen(view.now, hopeful)) return Admission();
  if (idle || !gate_.IsUnderWay(view.now) || !hopeful) return std::nullopt;
  Admission hoped = admission_.Admit(view_with(TableAt(view.latency.hoped_permille)), request);
  if (!hoped.status.ok()) return std::nullopt;
  return hoped;
}

bool Trials::Start(const SchedulerView& view, Decision& decision, ViewWith view_with) {
  // The request with the most time has the best prospects.
  const auto position = std::max_element(decision.shed.begin(), decision.shed.end(), [&](int a, int b) {
    return view.waiting[static_cast<size_t>(a)].run_by < view.waiting[static_cast<size_t>(b)].run_by;
  });
  if (position == decision.shed.end()) return false;
  const PendingRequest& request = view.waiting[static_cast<size_t>(*position)];
  bool hopeful = IsHopeful(view, request);
  std::optional<Plan> plan;
  if (hopeful && gate_.IsOpen(view.now, hopeful)) {
    plan = PlanOf(view, request, view.latency.hoped_permille, view_with);
  }
  if (!plan && gate_.IsOpen(view.now, /*hopeful=*/false)) {
    hopeful = false;
    const int permille = view.latency.PermilleWithin(request.allowed, request.rows, Slack(view, request));
    plan = PlanOf(view, request, permille, view_with);
  }
  if (!plan) return false;
  gate_.Start(view.now, hopeful);
  decision.AddPlan(plan->slot, plan->point, std::span(&*position, 1));
  decision.shed.erase(position);
  return true;
}

std::optional<Plan> Trials::PlanOf(const SchedulerView& view, const PendingRequest& request, int permille,
                                   ViewWith view_with) {
  SchedulerView hoped = view_with(TableAt(permille));
  hoped.waiting = std::span(&request, 1);
  hoped.waiting_rows = request.rows;
  hoped.waiting_special = std::min(view.waiting_special, 1);
  hoped.hurry = true;
  policy_.DecideInto(hoped, decision_);
  if (decision_.plans.empty()) return std::nullopt;
  return decision_.plans.front();
}

void Trials::CountRefusal(const SchedulerView& view, const PendingRequest& request) {
  if (IsHopeful(view, request)) gate_.CountRefusal();
}

}  // namespace anybit::scheduler
