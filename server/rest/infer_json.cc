#include "server/rest/infer_json.h"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/json_line.h"
#include "server/rest/proto_json.h"
#include "server/rest/tensor_json.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

using inference::InferParameter;
using inference::ModelInferRequest;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

absl::Status Invalid(std::string message) { return absl::InvalidArgumentError(std::move(message)); }

// The parameters that belong to this form of the protocol and not to the request.
struct FormParameters {
  std::optional<bool> binary_data;           // of an output
  std::optional<bool> binary_data_output;    // of the request
  std::optional<uint64_t> binary_data_size;  // of an input
};

absl::Status ReadFlag(const std::string& name, const Json& value, std::optional<bool>& flag) {
  if (!value.is_boolean()) return Invalid(absl::StrCat("parameter '", name, "' must be true or false"));
  flag = value.get<bool>();
  return absl::OkStatus();
}

absl::Status ReadParameter(const std::string& name, const Json& value, InferParameter& parameter) {
  if (value.is_boolean()) {
    parameter.set_bool_param(value.get<bool>());
  } else if (value.is_string()) {
    parameter.set_string_param(value.get<std::string>());
  } else if (value.is_number_float()) {
    parameter.set_double_param(value.get<double>());
  } else if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}) {
    parameter.set_uint64_param(value.get<uint64_t>());
  } else if (value.is_number_integer()) {
    parameter.set_int64_param(value.get<int64_t>());
  } else {
    return Invalid(absl::StrCat("parameter ", ShownText(name), " must be a truth value, a number or a text, and is ",
                                value.type_name()));
  }
  return absl::OkStatus();
}

absl::Status ReadParameters(const Json& owner, FormParameters& form, Parameters& parameters) {
  const Json* members = JsonMember(owner, "parameters");
  if (members == nullptr) return absl::OkStatus();
  if (!members->is_object()) return Invalid("'parameters' must be an object");
  for (const auto& [name, value] : members->items()) {
    absl::Status status;
    if (name == "binary_data") {
      status = ReadFlag(name, value, form.binary_data);
    } else if (name == "binary_data_output") {
      status = ReadFlag(name, value, form.binary_data_output);
    } else if (name == "binary_data_size") {
      if (!value.is_number_unsigned()) return Invalid("parameter 'binary_data_size' must be a number of bytes");
      form.binary_data_size = value.get<uint64_t>();
    } else {
      status = ReadParameter(name, value, parameters[name]);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// The member `name`, a text. InvalidArgument if it is of another kind, or absent and required.
absl::Status ReadText(const Json& owner, const char* name, bool required, std::string& text) {
  const Json* member = JsonMember(owner, name);
  if (member == nullptr) return required ? Invalid(absl::StrCat("'", name, "' is missing")) : absl::OkStatus();
  if (!member->is_string()) return Invalid(absl::StrCat("'", name, "' must be a text"));
  text = member->get<std::string>();
  return absl::OkStatus();
}

absl::Status ReadShape(const Json& input, ModelInferRequest::InferInputTensor& tensor) {
  const Json* shape = JsonMember(input, "shape");
  if (shape == nullptr || !shape->is_array()) return Invalid("'shape' must be an array of integers");
  for (const Json& dimension : *shape) {
    const bool fits = dimension.is_number_integer() &&
                      (!dimension.is_number_unsigned() || std::in_range<int64_t>(dimension.get<uint64_t>()));
    if (!fits) return Invalid("'shape' must be an array of integers");
    tensor.add_shape(dimension.get<int64_t>());
  }
  return absl::OkStatus();
}

absl::Status OfInput(const std::string& name, const absl::Status& status) {
  return status.ok() ? status : Invalid(absl::StrCat("input ", ShownText(name), ": ", status.message()));
}

// Moves the tensor's contents to the end of raw_input_contents: from `tensors`, whose front they are, or from JSON.
absl::Status ReadContents(const Json& input, const FormParameters& form, const std::string& datatype,
                          absl::string_view& tensors, ModelInferRequest& request) {
  const Json* data = JsonMember(input, "data");
  if (form.binary_data_size.has_value()) {
    if (data != nullptr) return Invalid("'data' and the parameter 'binary_data_size' exclude each other");
    if (*form.binary_data_size > tensors.size()) {
      return Invalid(absl::StrCat("'binary_data_size' is ", *form.binary_data_size, ", but only ", tensors.size(),
                                  " bytes follow"));
    }
    request.add_raw_input_contents(std::string(tensors.substr(0, *form.binary_data_size)));
    tensors.remove_prefix(*form.binary_data_size);
    return absl::OkStatus();
  }
  if (data == nullptr) return Invalid("there is neither 'data' nor the parameter 'binary_data_size'");
  if (!data->is_array()) return Invalid("'data' must be an array");
  absl::StatusOr<std::string> raw = RawFromJson(*data, datatype);
  if (!raw.ok()) return raw.status();
  request.add_raw_input_contents(*std::move(raw));
  return absl::OkStatus();
}

// All of an input but its contents.
absl::Status ReadInput(const Json& input, std::vector<FormParameters>& forms, ModelInferRequest& request) {
  ModelInferRequest::InferInputTensor& tensor = *request.add_inputs();
  FormParameters& form = forms.emplace_back();
  absl::Status status = ReadText(input, "name", true, *tensor.mutable_name());
  if (status.ok()) status = ReadText(input, "datatype", true, *tensor.mutable_datatype());
  if (status.ok()) status = ReadShape(input, tensor);
  if (status.ok()) status = ReadParameters(input, form, *tensor.mutable_parameters());
  return OfInput(tensor.name(), status);
}

absl::Status ReadOutput(const Json& output, RestRequest& call) {
  ModelInferRequest::InferRequestedOutputTensor& tensor = *call.request.add_outputs();
  FormParameters form;
  absl::Status status = ReadText(output, "name", true, *tensor.mutable_name());
  if (status.ok()) status = ReadParameters(output, form, *tensor.mutable_parameters());
  if (!status.ok()) return Invalid(absl::StrCat("output ", ShownText(tensor.name()), ": ", status.message()));
  if (form.binary_data.has_value()) call.forms.by_output[tensor.name()] = *form.binary_data;
  return absl::OkStatus();
}

// Calls `read` with each entry of the array `name`.
template <typename Read>
absl::Status ReadEach(const Json& root, const char* name, const Read& read) {
  const Json* entries = JsonMember(root, name);
  if (entries == nullptr) return absl::OkStatus();
  if (!entries->is_array()) return Invalid(absl::StrCat("'", name, "' must be an array"));
  for (const Json& entry : *entries) {
    if (!entry.is_object()) return Invalid(absl::StrCat("each entry of '", name, "' must be an object"));
    if (absl::Status status = read(entry); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ReadRoot(const Json& root, absl::string_view tensors, RestCheck check, RestRequest& call) {
  absl::Status status = ReadText(root, "id", false, *call.request.mutable_id());
  if (!status.ok()) return status;
  FormParameters form;
  status = ReadParameters(root, form, *call.request.mutable_parameters());
  if (!status.ok()) return status;
  call.forms.binary = form.binary_data_output.value_or(false);
  status = ReadEach(root, "outputs", [&](const Json& output) { return ReadOutput(output, call); });
  if (!status.ok()) return status;
  std::vector<FormParameters> forms;
  status = ReadEach(root, "inputs", [&](const Json& input) { return ReadInput(input, forms, call.request); });
  if (status.ok()) status = check(call.request);
  if (!status.ok()) return status;
  int next = 0;
  status = ReadEach(root, "inputs", [&](const Json& input) {
    const FormParameters& input_form = forms[static_cast<size_t>(next)];
    const ModelInferRequest::InferInputTensor& tensor = call.request.inputs(next++);
    return OfInput(tensor.name(), ReadContents(input, input_form, tensor.datatype(), tensors, call.request));
  });
  if (!status.ok()) return status;
  if (!tensors.empty()) return Invalid(absl::StrCat("the body has ", tensors.size(), " bytes behind its tensors"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RestRequest> ReadInferRequest(absl::string_view body, std::optional<size_t> json_bytes,
                                             RestCheck check) {
  if (json_bytes.has_value() && *json_bytes > body.size()) {
    return Invalid(
        absl::StrCat("Inference-Header-Content-Length is ", *json_bytes, ", but the body has ", body.size(), " bytes"));
  }
  const absl::string_view json = body.substr(0, json_bytes.value_or(body.size()));
  const absl::StatusOr<Json> root = ParseJsonObject(json);
  if (!root.ok()) return root.status();
  RestRequest call;
  if (absl::Status status = ReadRoot(*root, body.substr(json.size()), check, call); !status.ok()) return status;
  return call;
}

RestBody WriteInferResponse(const inference::ModelInferResponse& response, const OutputForms& forms) {
  RestBody body;
  std::string& json = body.json;
  absl::StrAppend(&json, "{\"model_name\":", JsonQuoted(response.model_name()),
                  ",\"model_version\":", JsonQuoted(response.model_version()));
  if (!response.id().empty()) absl::StrAppend(&json, ",\"id\":", JsonQuoted(response.id()));
  std::map<std::string, Json> parameters;  // sorted: the order within a message is by chance
  for (const auto& [name, value] : response.parameters()) parameters[name] = ToJson(value);
  absl::StrAppend(&json, ",\"parameters\":", JsonText(Json(parameters)), ",\"outputs\":[");
  for (int i = 0; i < response.outputs_size(); ++i) {
    const inference::ModelInferResponse::InferOutputTensor& output = response.outputs(i);
    const std::string& raw = response.raw_output_contents(i);
    absl::StrAppend(&json, i > 0 ? "," : "", "{\"name\":", JsonQuoted(output.name()),
                    ",\"datatype\":", JsonQuoted(output.datatype()),
                    ",\"shape\":", JsonText(Json(std::vector<int64_t>(output.shape().begin(), output.shape().end()))));
    const size_t before = json.size();
    json += ",\"data\":";
    if (forms.IsBinary(output.name()) || !AppendJsonArray(raw, output.datatype(), json).ok()) {
      json.resize(before);
      absl::StrAppend(&json, ",\"parameters\":{\"binary_data_size\":", raw.size(), "}");
      body.tensors += raw;
    }
    json += '}';
  }
  json += "]}";
  return body;
}

}  // namespace anybit::server
