#include "server/submission.h"

#include <memory>
#include <utility>

#include "server/inference_payload.h"

namespace anybit::server {

scheduler::SubmitRequest MakeSubmission(InferCall call, MonoTime deadline, const ServedModel& model) {
  auto payload = std::make_unique<InferencePayload>();
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
