#include "server/log_observer.h"

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/inference_payload.h"

namespace anybit::server {
namespace {

// What a line shows of a reason: a client may have put any text into it.
constexpr size_t kMaxReasonBytes = 300;

std::string Shortened(absl::string_view reason) { return std::string(reason.substr(0, kMaxReasonBytes)); }

template <typename Id, typename Items>
absl::string_view NameOf(const Items& items, Id id) {
  const auto index = static_cast<size_t>(id);
  return index < items.size() ? absl::string_view(items[index].name) : "";
}

}  // namespace

void LogObserver::OnEnded(const scheduler::EndedEvent& event) {
  if (event.kind == scheduler::OutcomeKind::kServed || event.kind == scheduler::OutcomeKind::kCancelled) return;
  const bool failed = event.kind == scheduler::OutcomeKind::kFailed;
  const LogLevel level = failed ? LogLevel::kError : LogLevel::kWarning;
  const LogEvent what = failed ? LogEvent::kRequestFailed : LogEvent::kRequestRefused;
  if (!log_.Admits(level, what)) return;
  LogFields fields;
  fields.Add("outcome", scheduler::OutcomeName(event.kind))
      .Add("id", static_cast<int64_t>(event.id))
      .Add("sla_class", NameOf(model_.sla_classes, event.sla_class))
      .Add("tenant", NameOf(model_.tenants, event.tenant))
      .Add("rows", event.rows)
      .Add("age_us", ToMicros(event.total_time));
  if (const auto* payload = static_cast<const InferencePayload*>(event.payload); payload != nullptr) {
    if (!payload->request_id.empty()) fields.Add("request", payload->request_id);
    if (!payload->trace_id.empty()) fields.Add("trace", payload->trace_id);
  }
  if (failed) fields.Add("operating_point", NameOf(model_.network.points, event.point));
  if (event.status != nullptr) fields.Add("reason", Shortened(event.status->message()));
  log_.Write(level, what, std::move(fields));
}

void LogObserver::OnDecisionReplaced(const scheduler::DecisionReplacedEvent& event) {
  if (!log_.Admits(LogLevel::kError, LogEvent::kDecisionReplaced)) return;
  log_.Write(LogLevel::kError, LogEvent::kDecisionReplaced,
             LogFields()
                 .Add("policy", absl::string_view(event.policy.data(), event.policy.size()))
                 .Add("reason", event.reason.message()));
}

void EdgeLog::OnInvalid(const absl::Status& reason) {
  next_.OnInvalid(reason);
  if (log_ == nullptr || !log_->Admits(LogLevel::kWarning, LogEvent::kRequestInvalid)) return;
  log_->Write(LogLevel::kWarning, LogEvent::kRequestInvalid, LogFields().Add("reason", Shortened(reason.message())));
}

void EdgeLog::OnUnavailable() {
  next_.OnUnavailable();
  Refused("unavailable", "the server starts or drains");
}

void EdgeLog::OnShed(scheduler::ShedReason reason) {
  next_.OnShed(reason);
  Refused("shed", "before it was read: ", scheduler::kShedReasonNames[static_cast<size_t>(reason)]);
}

void EdgeLog::OnExpired() {
  next_.OnExpired();
  Refused("expired", "its deadline had passed when the server saw it");
}

void EdgeLog::OnRefusedCall(RefusedCallReason reason) {
  next_.OnRefusedCall(reason);
  if (log_ == nullptr || !log_->Admits(LogLevel::kWarning, LogEvent::kCallRefused)) return;
  log_->Write(LogLevel::kWarning, LogEvent::kCallRefused,
              LogFields().Add("reason", kRefusedCallReasonNames[static_cast<size_t>(reason)]));
}

void EdgeLog::Refused(absl::string_view outcome, absl::string_view reason, absl::string_view detail) {
  if (log_ == nullptr || !log_->Admits(LogLevel::kWarning, LogEvent::kRequestRefused)) return;
  log_->Write(LogLevel::kWarning, LogEvent::kRequestRefused,
              LogFields().Add("outcome", outcome).Add("reason", absl::StrCat(reason, detail)));
}

}  // namespace anybit::server
