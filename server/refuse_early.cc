#include "server/refuse_early.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/request_terms.h"

namespace anybit::server {
namespace {

int RowsOf(const inference::ModelInferRequest& head, const ServedModel& model) {
  if (head.inputs_size() != 1 || head.inputs(0).shape().empty()) return 1;
  return static_cast<int>(std::clamp<int64_t>(head.inputs(0).shape(0), 1, model.max_batch));
}

}  // namespace

absl::Status TooLateStatus(Duration retry_after) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no operating point can meet the deadline behind the requests that wait; they take ",
                   std::chrono::ceil<std::chrono::milliseconds>(retry_after).count(), " ms"));
}

std::optional<Duration> RefuseEarly(scheduler::Scheduler& scheduler, const ServedModel& model,
                                    const inference::ModelInferRequest& head, MonoTime arrival, Duration left) {
  if (!scheduler.RefusesSomeEarly()) return std::nullopt;
  const absl::StatusOr<RequestTerms> terms = ReadTerms(head.parameters(), model);
  if (!terms.ok()) return std::nullopt;
  const std::optional<Duration> retry_after =
      scheduler.RefuseEarly(SaturatingAdd(arrival, std::min(terms->time_limit, left)));
  if (retry_after.has_value()) scheduler.ReportRefused(terms->sla_class, terms->tenant, RowsOf(head, model));
  return retry_after;
}

}  // namespace anybit::server
