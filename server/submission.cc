#include "server/submission.h"

#include <memory>
#include <string>
#include <utility>

#include "server/inference_payload.h"
#include "server/trace_parent.h"

namespace anybit::server {

namespace {

// A log shows so much of the id that a client has chosen.
constexpr size_t kMaxShownIdBytes = 64;

}  // namespace

scheduler::SubmitRequest MakeSubmission(InferCall call, MonoTime deadline, const ServedModel& model,
                                        const RequestNames& names) {
  auto payload = std::make_unique<InferencePayload>();
  payload->request_id = std::string(names.id.substr(0, kMaxShownIdBytes));
  payload->trace_id = std::string(TraceIdOf(names.trace_parent));
  payload->input = std::move(call.input.bytes);
  payload->output.reserve(call.input.rows * model.network.output.elements);
  return {.deadline = deadline,
          .allowed = call.terms.allowed,
          .sla_class = call.terms.sla_class,
          .tenant = call.terms.tenant,
          .rows = call.input.rows,
          .payload = std::move(payload)};
}

int64_t PayloadBytes(const scheduler::SubmitRequest& submission) {
  const auto& payload = static_cast<const InferencePayload&>(*submission.payload);
  return static_cast<int64_t>(payload.input.size() + 2 * payload.output.capacity() * sizeof(float));
}

}  // namespace anybit::server
