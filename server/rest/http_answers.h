// Answers of the protocol's REST form: JSON, and errors with the status that belongs to their code.
#ifndef ANYBIT_SERVER_REST_HTTP_ANSWERS_H_
#define ANYBIT_SERVER_REST_HTTP_ANSWERS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "base/time.h"
#include "server/http/http_server.h"
#include "server/rest/proto_json.h"

namespace anybit::server {

inline constexpr char kJsonType[] = "application/json";

// Of a request to describe or set something, which is a few members.
inline constexpr uint64_t kMaxDescriptionBytes = 64 * 1024;

// The status of HTTP for a code of gRPC: 400, 404, 429 for ResourceExhausted, 504 for DeadlineExceeded, ...
int HttpStatus(absl::StatusCode code);

// {"error": "..."}; with `retry_after` above zero, the header Retry-After in whole seconds, rounded up.
HttpAnswer ErrorAnswer(const absl::Status& status, Duration retry_after = Duration::zero());

HttpAnswer JsonAnswer(const Json& value);

template <typename Response>
HttpAnswer MessageAnswer(const absl::Status& status, const Response& response) {
  return status.ok() ? JsonAnswer(ToJson(response)) : ErrorAnswer(status);
}

// The refusal of a request with another method; HEAD passes for GET.
std::optional<HttpAnswer> ExpectMethod(const HttpHead& head, absl::string_view method);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REST_HTTP_ANSWERS_H_
