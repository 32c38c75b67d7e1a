// A ModelInferRequest from the wire: any bytes are no message, or TranslateRequest refuses them with a text that fits a
// gRPC header, or gives a call that the engine may run.
#include <string>

#include "proto/inference.pb.h"
#include "server/served_model.h"
#include "server/testing/sum_network.h"
#include "server/translate.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

// gRPC's default limit of all metadata of a call is 8 KiB; a message shares it with the call's other headers.
constexpr size_t kMaxMessageBytes = 4096;

anybit::server::ServedModel Model() {
  return {
      .network = anybit::server::testing::SumNetwork().description(),
      .max_batch = 4,
      .sla_classes = {{.name = "default"},
                      {.name = "interactive", .objective = std::chrono::milliseconds(20), .accuracy_floor_bp = 8500}},
      .tenants = {{.name = "default"}, {.name = "careful", .share = 3, .accuracy_floor_bp = 9200}}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const anybit::server::ServedModel& model = *new anybit::server::ServedModel(Model());
  inference::ModelInferRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  const absl::StatusOr<anybit::server::InferCall> call = anybit::server::TranslateRequest(request, model);
  if (!call.ok()) {
    anybit::Require(!call.status().message().empty(), "a refusal says why");
    anybit::Require(call.status().message().size() <= kMaxMessageBytes, "a refusal fits a header");
    return 0;
  }
  anybit::Require(call->rows >= 1 && call->rows <= model.max_batch, "rows are within 1..max_batch");
  anybit::Require(call->input.size() == static_cast<size_t>(call->rows * model.network.input.elements),
                  "the input has as many values as its rows say");
  anybit::Require(!call->allowed.empty(), "some operating point is allowed");
  anybit::Require(static_cast<size_t>(call->sla_class) < model.sla_classes.size(), "the SLA class exists");
  anybit::Require(static_cast<size_t>(call->tenant) < model.tenants.size(), "the tenant exists");
  return 0;
}
