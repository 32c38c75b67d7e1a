// A ModelInferRequest from the wire: any bytes are no message, or TranslateRequest refuses them with a text that fits a
// gRPC header, or gives a call that the engine may run. PeekRequest sees the same request.
#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>

#include "proto/inference.pb.h"
#include "server/peek_request.h"
#include "server/served_model.h"
#include "server/testing/infer_request.h"
#include "server/translate_request.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using inference::ModelInferRequest;

// gRPC's default limit of all metadata of a call is 8 KiB; a message shares it with the call's other headers.
constexpr size_t kMaxMessageBytes = 4096;

// `request`: of the same bytes; null if they are no message.
void Peek(const uint8_t* data, size_t size, const ModelInferRequest* request) {
  // In two pieces, as gRPC may deliver them.
  const size_t half = size / 2;
  const grpc::Slice pieces[] = {grpc::Slice(data, half), grpc::Slice(data + half, size - half)};
  grpc::ByteBuffer bytes(pieces, 2);
  const std::optional<ModelInferRequest> head = anybit::server::PeekRequest(bytes);
  anybit::Require(bytes.Length() == size, "looking takes nothing");
  if (!head.has_value() || request == nullptr) return;
  anybit::Require(head->model_name() == request->model_name() && head->id() == request->id(), "the names are the same");
  anybit::Require(head->parameters_size() == request->parameters_size(), "so are the parameters");
  anybit::Require(head->raw_input_contents().empty(), "there are no contents");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const anybit::server::ServedModel& model = *new anybit::server::ServedModel(anybit::server::testing::Model());
  ModelInferRequest request;
  const bool is_message = request.ParseFromArray(data, static_cast<int>(size));
  Peek(data, size, is_message ? &request : nullptr);
  if (!is_message) return 0;
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
