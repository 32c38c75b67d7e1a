// A ModelInferRequest from the wire: any bytes are no message, or TranslateRequest refuses them with a text that fits a
// gRPC header, or gives a call that the engine may run.
#include <string>

#include "proto/inference.pb.h"
#include "server/served_model.h"
#include "server/testing/infer_request.h"
#include "server/translate_request.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

// gRPC's default limit of all metadata of a call is 8 KiB; a message shares it with the call's other headers.
constexpr size_t kMaxMessageBytes = 4096;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const anybit::server::ServedModel& model = *new anybit::server::ServedModel(anybit::server::testing::Model());
  inference::ModelInferRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  const absl::StatusOr<anybit::server::InferCall> call = anybit::server::TranslateRequest(request, model);
  if (!call.ok()) {
    anybit::Require(!call.status().message().empty(), "a refusal says why");
    anybit::Require(call.status().message().size() <= kMaxMessageBytes, "a refusal fits a header");
    return 0;
  }
  anybit::Require(call->input.rows >= 1 && call->input.rows <= model.max_batch, "rows are within 1..max_batch");
  anybit::Require(call->input.bytes.size() == static_cast<size_t>(call->input.rows * model.network.input.elements),
                  "the input has as many values as its rows say");
  anybit::Require(!call->terms.allowed.empty(), "some operating point is allowed");
  anybit::Require(static_cast<size_t>(call->terms.sla_class) < model.sla_classes.size(), "the SLA class exists");
  anybit::Require(static_cast<size_t>(call->terms.tenant) < model.tenants.size(), "the tenant exists");
  return 0;
}
