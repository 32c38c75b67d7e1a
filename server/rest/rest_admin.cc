#include "server/rest/rest_admin.h"

#include <cstdint>
#include <limits>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "proto/inference.pb.h"
#include "server/rest/http_answers.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

absl::StatusOr<Json> ParseOptionalObject(const std::string& body) {
  return body.empty() ? absl::StatusOr<Json>(Json::object()) : ParseJsonObject(body);
}

// Of a load or unload; a number with a fraction, null, an array or an object is none.
absl::Status ReadParameter(const std::string& name, const Json& value, inference::ModelRepositoryParameter& parameter) {
  if (value.is_boolean()) {
    parameter.set_bool_param(value.get<bool>());
  } else if (value.is_number_integer()) {
    parameter.set_int64_param(value.get<int64_t>());
  } else if (value.is_string()) {
    parameter.set_string_param(value.get<std::string>());
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter ", ShownText(name), " must be a truth value, a whole number or a text"));
  }
  return absl::OkStatus();
}

template <typename Request>
absl::StatusOr<Request> ReadChange(const std::string& model, const std::string& body) {
  const absl::StatusOr<Json> root = ParseOptionalObject(body);
  if (!root.ok()) return root.status();
  Request request;
  request.set_model_name(model);
  const Json* const parameters = JsonMember(*root, "parameters");
  if (parameters == nullptr) return request;
  if (!parameters->is_object()) return absl::InvalidArgumentError("'parameters' must be an object");
  for (const auto& [name, value] : parameters->items()) {
    absl::Status status = ReadParameter(name, value, (*request.mutable_parameters())[name]);
    if (!status.ok()) return status;
  }
  return request;
}

// null clears a setting, an array gives several values; a number or truth value counts as its text.
absl::Status ReadTraceSetting(const std::string& name, const Json& value,
                              inference::TraceSettingRequest::SettingValue& setting) {
  if (value.is_null()) return absl::OkStatus();
  if (value.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("trace setting ", ShownText(name), " must not be an object"));
  }
  if (!value.is_array()) {
    setting.add_value(value.is_string() ? value.get<std::string>() : value.dump());
    return absl::OkStatus();
  }
  for (const Json& one : value) {
    if (!one.is_string()) {
      return absl::InvalidArgumentError(absl::StrCat("trace setting ", ShownText(name), " must be an array of texts"));
    }
    setting.add_value(one.get<std::string>());
  }
  return absl::OkStatus();
}

absl::Status ReadLogSetting(const std::string& name, const Json& value,
                            inference::LogSettingsRequest::SettingValue& setting) {
  if (value.is_boolean()) {
    setting.set_bool_param(value.get<bool>());
  } else if (value.is_string()) {
    setting.set_string_param(value.get<std::string>());
  } else if (value.is_number_unsigned() && value.get<uint64_t>() <= std::numeric_limits<uint32_t>::max()) {
    setting.set_uint32_param(value.get<uint32_t>());
  } else {
    return absl::InvalidArgumentError(absl::StrCat("log setting ", ShownText(name),
                                                   " must be a truth value, a text or a number from 0 to 4294967295"));
  }
  return absl::OkStatus();
}

// A trace's level may have several values, so it is an array; the others are texts.
Json TraceJson(const inference::TraceSettingResponse& response) {
  std::map<std::string, Json> sorted;
  for (const auto& [name, setting] : response.settings()) {
    Json values = Json::array();
    for (const std::string& value : setting.value()) values.push_back(value);
    sorted[name] = name == "trace_level" ? values : values.empty() ? Json("") : values[0];
  }
  Json object = Json::object();
  for (auto& [name, value] : sorted) object[name] = std::move(value);
  return object;
}

// Lists of shared memory are empty, and to unregister it changes nothing.
HttpAction RouteSharedMemory(const HttpHead& head) {
  if (absl::EndsWith(head.path, "/register")) {
    return ErrorAnswer(
        absl::UnimplementedError("this server has no shared memory: send the tensor in the body of the request"));
  }
  if (absl::EndsWith(head.path, "/unregister")) {
    if (std::optional<HttpAnswer> wrong = ExpectMethod(head, "POST")) return *std::move(wrong);
    return HttpRoute{.max_body_bytes = kMaxDescriptionBytes, .in_background = false, .handle = [](const auto& call) {
                       call->Answer({.content_type = kJsonType});
                     }};
  }
  if (std::optional<HttpAnswer> wrong = ExpectMethod(head, "GET")) return *std::move(wrong);
  if (absl::StrContains(head.path, "/region/")) {
    return ErrorAnswer(absl::NotFoundError("there is no shared memory region of this name"));
  }
  return JsonAnswer(Json::array());
}

}  // namespace

std::optional<HttpAction> RestAdmin::Route(const HttpHead& head, const RestPath& path, const Caller& caller) {
  if (path.pattern == "/v2/repository/models/*/load") return RouteChange(head, path, caller, /*load=*/true);
  if (path.pattern == "/v2/repository/models/*/unload") return RouteChange(head, path, caller, /*load=*/false);
  if (path.pattern == "/v2/trace/setting" || path.pattern == "/v2/models/*/trace/setting") {
    return RouteSettings(head, path, caller, /*trace=*/true);
  }
  if (path.pattern == "/v2/logging") return RouteSettings(head, path, caller, /*trace=*/false);
  for (const char* prefix : {"/v2/systemsharedmemory/", "/v2/cudasharedmemory/"}) {
    if (absl::StartsWith(path.pattern, prefix)) return RouteSharedMemory(head);
  }
  return std::nullopt;
}

HttpAction RestAdmin::RouteChange(const HttpHead& head, const RestPath& path, const Caller& caller, bool load) {
  if (std::optional<HttpAnswer> wrong = ExpectMethod(head, "POST")) return *std::move(wrong);
  if (absl::Status status = CheckAdmin(caller); !status.ok()) return ErrorAnswer(status);
  const auto handle = [this, load, model = path.model](const std::shared_ptr<HttpCall>& call) {
    const auto answer = [call](const absl::Status& status) {
      call->Answer(status.ok() ? HttpAnswer{.content_type = kJsonType} : ErrorAnswer(status));
    };
    if (load) {
      const auto request = ReadChange<inference::RepositoryModelLoadRequest>(model, call->body());
      return request.ok() ? repository_.Load(*request, answer) : answer(request.status());
    }
    const auto request = ReadChange<inference::RepositoryModelUnloadRequest>(model, call->body());
    return request.ok() ? repository_.Unload(*request, answer) : answer(request.status());
  };
  return HttpRoute{.max_body_bytes = kMaxDescriptionBytes, .in_background = false, .handle = handle};
}

HttpAction RestAdmin::RouteSettings(const HttpHead& head, const RestPath& path, const Caller& caller, bool trace) {
  const auto show = [this, trace, caller, model = path.model](const std::string& body) {
    return trace ? TraceSettings(caller, model, body) : LogSettings(caller, body);
  };
  if (head.method == "GET" || head.method == "HEAD") return show("");
  if (std::optional<HttpAnswer> wrong = ExpectMethod(head, "POST")) return *std::move(wrong);
  return HttpRoute{.max_body_bytes = kMaxDescriptionBytes,
                   .handle = [show](const std::shared_ptr<HttpCall>& call) { call->Answer(show(call->body())); }};
}

HttpAnswer RestAdmin::TraceSettings(const Caller& caller, const std::string& model, const std::string& body) const {
  const absl::StatusOr<Json> root = ParseOptionalObject(body);
  if (!root.ok()) return ErrorAnswer(root.status());
  inference::TraceSettingRequest request;
  request.set_model_name(model);
  for (const auto& [name, value] : root->items()) {
    absl::Status status = ReadTraceSetting(name, value, (*request.mutable_settings())[name]);
    if (!status.ok()) return ErrorAnswer(status);
  }
  inference::TraceSettingResponse response;
  const absl::Status status = description_.TraceSetting(caller, request, response);
  return status.ok() ? JsonAnswer(TraceJson(response)) : ErrorAnswer(status);
}

HttpAnswer RestAdmin::LogSettings(const Caller& caller, const std::string& body) const {
  const absl::StatusOr<Json> root = ParseOptionalObject(body);
  if (!root.ok()) return ErrorAnswer(root.status());
  inference::LogSettingsRequest request;
  for (const auto& [name, value] : root->items()) {
    absl::Status status = ReadLogSetting(name, value, (*request.mutable_settings())[name]);
    if (!status.ok()) return ErrorAnswer(status);
  }
  inference::LogSettingsResponse response;
  const absl::Status status = description_.LogSettings(caller, request, response);
  return status.ok() ? JsonAnswer(ToJson(response)["settings"]) : ErrorAnswer(status);
}

}  // namespace anybit::server
