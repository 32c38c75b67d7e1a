#include "server/rest/rest_service.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "proto/inference.pb.h"
#include "scheduler/request.h"
#include "server/edge_observer.h"
#include "server/feedback/feedback.h"
#include "server/http/decode_body.h"
#include "server/inference.h"
#include "server/parameters.h"
#include "server/refuse_early.h"
#include "server/rest/http_answers.h"
#include "server/rest/infer_json.h"
#include "server/rest/proto_json.h"
#include "server/serving_state.h"
#include "server/shown_text.h"
#include "server/trace_parent.h"
#include "server/translate_request.h"

namespace anybit::server {
namespace {

constexpr char kLengthField[] = "Inference-Header-Content-Length";  // as kserve and Triton call it

// A text of JSON for each element of a tensor: three digits, a comma, and blanks of a body that people can read.
constexpr int64_t kMaxJsonBytesPerElement = 8;
// And of a float: 17 digits, sign, point, exponent, and what separates it.
constexpr int64_t kMaxJsonBytesPerFloat = 26;

// Triton's clients look at the status only, KServe's at the member too. `body` has it.
HttpAnswer ReadyAnswer(bool ready, const Json& body) {
  HttpAnswer answer = JsonAnswer(body);
  if (!ready) answer.status = 503;
  return answer;
}

// An answer of feedback is {"operating_point": "w4a4f", "predicted": 3, "label": 5} or a little more.
constexpr uint64_t kMaxFeedbackBytes = 128 * kMaxFeedbackAnswers;

// A request to describe the path's model.
template <typename Request>
Request RequestFor(const RestPath& path) {
  Request request;
  request.set_name(path.model);
  request.set_version(path.version);
  return request;
}

// What a body of this size may take while it is read.
int64_t ReadingBytes(int64_t body_bytes) { return body_bytes * kJsonMemoryFactor + kCallOverhead; }

int64_t LargestBody(const ServedModel& model) {
  const int64_t element = model.network.floats.has_value() ? kMaxJsonBytesPerFloat : kMaxJsonBytesPerElement;
  return element * model.network.input.elements * model.max_batch + kRoomBesideTensors;
}

}  // namespace

// One POST .../infer, from its header to its answer.
class RestService::InferCall : public std::enable_shared_from_this<InferCall> {
 public:
  InferCall(RestService& service, RestPath path, Caller caller)
      : service_(service), path_(std::move(path)), caller_(std::move(caller)), inference_(service.parts_) {
    service_.open_.Begin();
  }
  ~InferCall() { service_.open_.End(); }
  InferCall(const InferCall&) = delete;
  InferCall& operator=(const InferCall&) = delete;

  absl::Status Hold(int64_t bytes) { return inference_.Hold(bytes); }

  // Not on the server's thread: a large body takes its time to be read.
  void Answer(const std::shared_ptr<HttpCall>& call) {
    absl::StatusOr<RestRequest> read = Read(*call);
    if (!read.ok()) return call->Answer(ErrorAnswer(read.status(), RetryAfter(read.status(), refused_for_)));
    forms_ = std::move(read->forms);
    read->request.set_model_name(path_.model);
    read->request.set_model_version(path_.version);
    if (absl::Status bound = BindTenant(caller_, read->request); !bound.ok()) {
      service_.parts_.observer.OnInvalid(bound);
      return call->Answer(ErrorAnswer(bound));
    }
    call->WhenGone([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->inference_.Cancel();
    });
    trace_parent_ = std::string(call->head().Field(kTraceParentHeader));
    inference_.Begin(read->request, trace_parent_, [self = shared_from_this(), call](scheduler::Outcome outcome) {
      if (outcome.kind != scheduler::OutcomeKind::kServed) {
        return call->Answer(ErrorAnswer(outcome.status, RetryAfter(outcome.status, outcome.retry_after)));
      }
      auto served = std::make_shared<scheduler::Outcome>(std::move(outcome));
      // The loop's thread has other things to do than to write numbers.
      call->InBackground([self, call, served] { call->Answer(self->Write(*served)); });
    });
  }

 private:
  static Duration RetryAfter(const absl::Status& status, Duration known) {
    if (known > Duration::zero() || !absl::IsResourceExhausted(status)) return known;
    return kDefaultRetryAfter;
  }

  absl::StatusOr<RestRequest> Read(HttpCall& call) {
    absl::StatusOr<RestRequest> read = ReadUncounted(call);
    if (!read.ok() && !absl::IsResourceExhausted(read.status())) {
      service_.parts_.observer.OnInvalid(read.status());
      service_.parts_.observer.OnRefusedCall(RefusedCallReason::kMalformedMessage);
    }
    return read;
  }

  absl::StatusOr<RestRequest> ReadUncounted(HttpCall& call) {
    absl::StatusOr<std::string> body = DecodeBody(std::move(call.body()), call.head().Field("Content-Encoding"),
                                                  LargestBody(service_.parts_.contract));
    if (!body.ok()) return body.status();
    if (absl::Status held = Hold(ReadingBytes(static_cast<int64_t>(body->size()))); !held.ok()) return held;
    std::optional<size_t> json_bytes;
    if (const absl::string_view field = call.head().Field(kLengthField); !field.empty()) {
      uint64_t length = 0;
      if (!absl::SimpleAtoi(field, &length)) {
        return absl::InvalidArgumentError(absl::StrCat(kLengthField, " is ", ShownText(field), ", not a number"));
      }
      json_bytes = length;
    }
    return ReadInferRequest(*body, json_bytes, [this](const auto& head) { return RefuseByHead(head); });
  }

  // ResourceExhausted if the request's parameters suffice to refuse it.
  absl::Status RefuseByHead(const inference::ModelInferRequest& head) {
    inference::ModelInferRequest bound = head;  // of the caller's tenant
    if (!BindTenant(caller_, bound).ok()) return absl::OkStatus();
    bound.set_model_name(path_.model);
    bound.set_model_version(path_.version);
    const std::optional<Duration> retry_after = inference_.RefuseEarly(bound);
    if (!retry_after.has_value()) return absl::OkStatus();
    refused_for_ = *retry_after;
    return TooLateStatus(*retry_after);
  }

  HttpAnswer Write(const scheduler::Outcome& outcome) const {
    RestBody body = WriteInferResponse(inference_.Response(outcome), forms_);
    HttpAnswer answer{.content_type = kJsonType, .body = std::move(body.json)};
    if (IsTraceParent(trace_parent_)) answer.fields.emplace_back(kTraceParentHeader, trace_parent_);
    if (body.tensors.empty()) return answer;
    answer.content_type = "application/octet-stream";
    answer.fields.emplace_back(kLengthField, absl::StrCat(answer.body.size()));
    answer.body += body.tensors;
    return answer;
  }

  RestService& service_;
  const RestPath path_;
  const Caller caller_;
  OutputForms forms_;
  std::string trace_parent_;  // the header, and whatever it holds
  Duration refused_for_{};    // the retry delay, if its parameters sufficed to refuse it
  Inference inference_;
};

HttpAction RestService::Route(const HttpHead& head, const Caller& caller) {
  absl::StatusOr<RestPath> parsed = ParseRestPath(head.path);
  if (!parsed.ok()) return ErrorAnswer(parsed.status());
  const RestPath& path = *parsed;
  if (path.pattern == "/v2/models/*/infer") return RouteInfer(head, *std::move(parsed), caller);
  if (path.pattern == "/v2/repository/index") return RouteIndex(head);
  if (path.pattern == "/v2/models/*/feedback") return RouteFeedback(head, *std::move(parsed));
  if (std::optional<HttpAction> action = admin_.Route(head, path, caller)) return *std::move(action);
  using Describe = HttpAnswer (RestService::*)(const RestPath&) const;
  static constexpr std::pair<absl::string_view, Describe> kDescriptions[] = {
      {"/v2", &RestService::ServerMetadata},
      {"/v2/health/live", &RestService::ServerLive},
      {"/v2/health/ready", &RestService::ServerReady},
      {"/v2/models/*", &RestService::ModelMetadata},
      {"/v2/models/*/ready", &RestService::ModelReady},
      {"/v2/models/*/config", &RestService::ModelConfig},
      {"/v2/models/*/stats", &RestService::Statistics},
      {"/v2/models/stats", &RestService::Statistics},
  };
  for (const auto& [pattern, describe] : kDescriptions) {
    if (pattern != path.pattern) continue;
    if (std::optional<HttpAnswer> wrong = ExpectMethod(head, "GET")) return *std::move(wrong);
    return (this->*describe)(path);
  }
  return ErrorAnswer(absl::NotFoundError(absl::StrCat("there is nothing at ", ShownText(head.path))));
}

HttpAnswer RestService::ServerLive(const RestPath&) const { return ReadyAnswer(true, {{"live", true}}); }

HttpAnswer RestService::ServerReady(const RestPath&) const {
  inference::ServerReadyResponse response;
  (void)description_.ServerReady({}, response);
  return ReadyAnswer(response.ready(), {{"ready", response.ready()}});
}

HttpAnswer RestService::ServerMetadata(const RestPath&) const {
  inference::ServerMetadataResponse response;
  const absl::Status status = description_.ServerMetadata({}, response);
  response.add_extensions("binary_tensor_data");
  return MessageAnswer(status, response);
}

HttpAnswer RestService::ModelReady(const RestPath& path) const {
  const absl::Status known = parts_.versions.Find(path.model, path.version).status();
  if (!known.ok()) return ErrorAnswer(known);
  const bool ready = parts_.state == ServingState::kReady;
  return ReadyAnswer(ready, {{"name", path.model}, {"ready", ready}});
}

HttpAnswer RestService::ModelMetadata(const RestPath& path) const {
  inference::ModelMetadataResponse response;
  const absl::Status status = description_.ModelMetadata(RequestFor<inference::ModelMetadataRequest>(path), response);
  return MessageAnswer(status, response);
}

HttpAnswer RestService::ModelConfig(const RestPath& path) const {
  inference::ModelConfigResponse response;
  const absl::Status status = description_.ModelConfig(RequestFor<inference::ModelConfigRequest>(path), response);
  return MessageAnswer(status, response.config());
}

HttpAnswer RestService::Statistics(const RestPath& path) const {
  inference::ModelStatisticsResponse response;
  const absl::Status status = description_.Statistics(RequestFor<inference::ModelStatisticsRequest>(path), response);
  return MessageAnswer(status, response);
}

HttpAction RestService::RouteIndex(const HttpHead& head) {
  if (std::optional<HttpAnswer> wrong = ExpectMethod(head, "POST")) return *std::move(wrong);
  return HttpRoute{.max_body_bytes = kMaxDescriptionBytes,
                   .in_background = false,
                   .handle = [this](const std::shared_ptr<HttpCall>& call) { call->Answer(Index(call->body())); }};
}

HttpAction RestService::RouteFeedback(const HttpHead& head, RestPath path) {
  if (std::optional<HttpAnswer> wrong = ExpectMethod(head, "POST")) return *std::move(wrong);
  const auto share = std::make_shared<RequestMemory::Share>(parts_.memory);
  const uint64_t expected = std::min(head.body_bytes.value_or(kMaxFeedbackBytes), kMaxFeedbackBytes);
  const int64_t bytes = ReadingBytes(static_cast<int64_t>(expected));
  if (!share->Resize(bytes)) return ErrorAnswer(LimitReached(parts_.memory, bytes), kDefaultRetryAfter);
  return HttpRoute{.max_body_bytes = kMaxFeedbackBytes,
                   .handle = [this, path = std::move(path), share](const std::shared_ptr<HttpCall>& call) {
                     absl::StatusOr<anybit::v1::ReportRequest> report = ReadFeedback(call->body());
                     if (!report.ok()) return call->Answer(ErrorAnswer(report.status()));
                     report->set_model_name(path.model);
                     report->set_model_version(path.version);
                     const absl::Status taken = TakeFeedback(parts_.versions, *report);
                     call->Answer(taken.ok() ? JsonAnswer(Json::object()) : ErrorAnswer(taken));
                   }};
}

HttpAnswer RestService::Index(const std::string& body) const {
  inference::RepositoryIndexRequest request;
  if (!body.empty()) {
    const absl::StatusOr<Json> root = ParseJsonObject(body);
    if (!root.ok()) return ErrorAnswer(root.status());
    const Json* ready = JsonMember(*root, "ready");
    if (ready != nullptr && !ready->is_boolean()) {
      return ErrorAnswer(absl::InvalidArgumentError("'ready' must be true or false"));
    }
    request.set_ready(ready != nullptr && ready->get<bool>());
  }
  inference::RepositoryIndexResponse response;
  const absl::Status status = description_.RepositoryIndex(request, response);
  if (!status.ok()) return ErrorAnswer(status);
  return JsonAnswer(ToJson(response)["models"]);
}

HttpAction RestService::RouteInfer(const HttpHead& head, RestPath path, const Caller& caller) {
  if (std::optional<HttpAnswer> wrong = ExpectMethod(head, "POST")) return *std::move(wrong);
  const auto call = std::make_shared<InferCall>(*this, std::move(path), caller);
  if (is_draining_ || parts_.state == ServingState::kStarting) {
    parts_.observer.OnUnavailable();
    return ErrorAnswer(absl::UnavailableError(is_draining_ ? "the server is stopping" : "the server is starting"),
                       kDefaultRetryAfter);
  }
  const int64_t largest = LargestBody(parts_.contract);
  const int64_t expected = static_cast<int64_t>(std::min<uint64_t>(head.body_bytes.value_or(largest), largest));
  if (absl::Status held = call->Hold(ReadingBytes(expected)); !held.ok()) return ErrorAnswer(held, kDefaultRetryAfter);
  return HttpRoute{.max_body_bytes = static_cast<uint64_t>(largest),
                   .handle = [call](const std::shared_ptr<HttpCall>& answered) { call->Answer(answered); }};
}

}  // namespace anybit::server
