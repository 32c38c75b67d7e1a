#include "server/rest/http_answers.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"

namespace anybit::server {
int HttpStatus(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk: return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition: return 400;
    case absl::StatusCode::kUnauthenticated: return 401;
    case absl::StatusCode::kPermissionDenied: return 403;
    case absl::StatusCode::kNotFound: return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted: return 409;
    case absl::StatusCode::kOutOfRange:  // of a body: too large
      return 413;
    case absl::StatusCode::kResourceExhausted: return 429;
    case absl::StatusCode::kCancelled: return 499;
    case absl::StatusCode::kUnimplemented: return 501;
    case absl::StatusCode::kUnavailable: return 503;
    case absl::StatusCode::kDeadlineExceeded: return 504;
    default: return 500;
  }
}

HttpAnswer ErrorAnswer(const absl::Status& status, Duration retry_after) {
  Json error = Json::object();
  error["error"] = std::string(status.message());
  HttpAnswer answer{.status = HttpStatus(status.code()), .content_type = kJsonType, .body = JsonText(error)};
  if (retry_after > Duration::zero()) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after);
    answer.fields.emplace_back("Retry-After", absl::StrCat(seconds.count()));
  }
  return answer;
}

HttpAnswer JsonAnswer(const Json& value) { return {.content_type = kJsonType, .body = JsonText(value)}; }

std::optional<HttpAnswer> ExpectMethod(const HttpHead& head, absl::string_view method) {
  if (head.method == method || (method == "GET" && head.method == "HEAD")) return std::nullopt;
  HttpAnswer answer = ErrorAnswer(absl::InvalidArgumentError(absl::StrCat("this path is for ", method)));
  answer.status = 405;
  answer.fields = {{"Allow", method == "GET" ? "GET, HEAD" : std::string(method)}};
  return answer;
}

}  // namespace anybit::server
