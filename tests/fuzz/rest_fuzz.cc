// A body of REST inference: any bytes are refused with a text, or become a message whose raw contents belong to its
// inputs; a path and a compressed body likewise.
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/http/decode_body.h"
#include "server/rest/infer_json.h"
#include "server/rest/rest_path.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

constexpr size_t kMaxDecodedBytes = 1 << 20;
constexpr size_t kMaxMessageBytes = 4096;

void ReadBody(absl::string_view body, std::optional<size_t> json_bytes) {
  const absl::StatusOr<anybit::server::RestRequest> call = anybit::server::ReadInferRequest(body, json_bytes);
  if (!call.ok()) {
    anybit::Require(!call.status().message().empty(), "a refusal says why");
    anybit::Require(call.status().message().size() <= kMaxMessageBytes, "a refusal does not repeat the body");
    return;
  }
  anybit::Require(call->request.raw_input_contents_size() == call->request.inputs_size(), "each input has contents");
  std::string bytes;
  anybit::Require(call->request.SerializeToString(&bytes), "the message is one of protobuf: its texts are UTF-8");
}

}  // namespace

// The first byte says what the others are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'p') {
    (void)anybit::server::ParseRestPath(rest);
  } else if (data[0] == 'z') {
    const absl::StatusOr<std::string> body = anybit::server::DecodeBody(std::string(rest), "gzip", kMaxDecodedBytes);
    anybit::Require(!body.ok() || body->size() <= kMaxDecodedBytes, "a decoded body is within its limit");
  } else if (data[0] == 'b' && size > 1) {
    ReadBody(rest.substr(1), data[1]);  // so much of it is JSON
  } else {
    ReadBody(rest, std::nullopt);
  }
  return 0;
}
