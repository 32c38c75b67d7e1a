#include "server/translate.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "proto/rpc_status.pb.h"

namespace anybit::server {
namespace {

using inference::InferParameter;
using inference::InferTensorContents;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

// Raw contents are little-endian, and so is every machine this is built for: no byte is swapped below.
static_assert(std::endian::native == std::endian::little);

// In the largest request, for names, parameters and what other clients send along.
constexpr int64_t kRoomBesideTensors = 256 * 1024;

// A client's text as it may stand in a message: printable, and short enough that a few fit into a header of 8 KiB.
std::string Quoted(absl::string_view text) {
  constexpr size_t kMaxShown = 80;
  const bool cut = text.size() > kMaxShown;
  return absl::StrCat("'", absl::CEscape(text.substr(0, kMaxShown)), cut ? "...'" : "'");
}

std::string ShapeText(const google::protobuf::RepeatedField<int64_t>& shape) {
  constexpr int kMaxShown = 8;
  const int shown = std::min(shape.size(), kMaxShown);
  return absl::StrCat("[", absl::StrJoin(shape.begin(), shape.begin() + shown, ","), shown < shape.size() ? ",..." : "",
                      "]");
}

// ---- Parameters

// A parameter's value, or none if it is absent; InvalidArgument if it has another type.
absl::StatusOr<std::optional<int64_t>> Int64Parameter(const Parameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::optional<int64_t>();
  if (!found->second.has_int64_param()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value type for '", name, "' parameter, expected int64_param."));
  }
  return std::optional<int64_t>(found->second.int64_param());
}

absl::StatusOr<std::optional<std::string>> StringParameter(const Parameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::optional<std::string>();
  if (!found->second.has_string_param()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value type for '", name, "' parameter, expected string_param."));
  }
  return std::optional<std::string>(found->second.string_param());
}

absl::StatusOr<std::optional<int64_t>> BoundedParameter(const Parameters& parameters, const char* name, int64_t low,
                                                        int64_t high) {
  auto value = Int64Parameter(parameters, name);
  if (!value.ok() || !value->has_value() || (**value >= low && **value <= high)) return value;
  return absl::InvalidArgumentError(
      high == std::numeric_limits<int64_t>::max()
          ? absl::StrCat("invalid value for '", name, "': ", **value, ", expected value >= ", low, ".")
          : absl::StrCat("invalid value for '", name, "': ", **value, ", expected ", low, " to ", high, "."));
}

absl::Status WrongType(absl::string_view name, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("invalid value type for ", Quoted(name), " parameter, expected ", expected, "."));
}

// Parameters that other servers give a meaning and this one does not: accepted, so that no client breaks, but typed.
absl::Status CheckForeignParameter(const std::string& name, const InferParameter& value) {
  if (name == "priority") {
    if (value.has_uint64_param()) return absl::OkStatus();
    if (!value.has_int64_param()) return WrongType(name, "int64_param or uint64_param");
    if (value.int64_param() < 0) {
      return absl::InvalidArgumentError("invalid value for 'priority', expected value >= 0.");
    }
    return absl::OkStatus();
  }
  if (name == "sequence_id") {
    return value.has_int64_param() || value.has_string_param() ? absl::OkStatus()
                                                               : WrongType(name, "int64_param or string_param");
  }
  if (name == "sequence_start" || name == "sequence_end" || name == "triton_enable_empty_final_response") {
    return value.has_bool_param() ? absl::OkStatus() : WrongType(name, "bool_param");
  }
  if (name.rfind("triton_", 0) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter keys starting with 'triton_' are reserved. Only the following keys starting with "
                     "'triton_' are allowed: triton_enable_empty_final_response. Got ",
                     Quoted(name)));
  }
  if (value.has_uint64_param() || value.parameter_choice_case() == InferParameter::PARAMETER_CHOICE_NOT_SET) {
    return WrongType(name, "int64_param, bool_param, string_param or double_param");
  }
  return absl::OkStatus();
}

absl::Status CheckForeignParameters(const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    if (absl::Status status = CheckForeignParameter(name, value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Which of the `configured` SLA classes or tenants the parameter names: their index; the first if it is absent.
template <typename Named>
absl::StatusOr<size_t> FindNamed(const Parameters& parameters, const char* parameter,
                                 const std::vector<Named>& configured) {
  constexpr size_t kMaxShown = 16;
  const auto name = StringParameter(parameters, parameter);
  if (!name.ok()) return name.status();
  if (!name->has_value()) return 0;
  std::vector<absl::string_view> known;
  for (size_t i = 0; i < configured.size(); ++i) {
    if (configured[i].name == **name) return i;
    if (i < kMaxShown) known.push_back(configured[i].name);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown '", parameter, "' ", Quoted(**name),
                                                 ", known: ", absl::StrJoin(known, ", "),
                                                 known.size() < configured.size() ? ", ..." : ""));
}

absl::StatusOr<Duration> FindTimeLimit(const Parameters& parameters, const SlaClass& sla_class) {
  Duration limit = sla_class.objective > Duration::zero() ? sla_class.objective : Duration::max();
  for (const char* name : {"timeout", "slo_us"}) {
    const auto micros = BoundedParameter(parameters, name, 0, std::numeric_limits<int64_t>::max());
    if (!micros.ok()) return micros.status();
    if (micros->value_or(0) > 0) limit = std::min(limit, SaturatingMicros(**micros));
  }
  return limit;
}

// The points that satisfy every floor and the pin; each refusal names what would have been available. The promises of
// class and tenant are floors too, and the highest counts.
absl::StatusOr<scheduler::PointSet> FindAllowedPoints(const Parameters& parameters, const SlaClass& sla_class,
                                                      const Tenant& tenant, const ServedModel& model) {
  const auto floor = BoundedParameter(parameters, "min_accuracy_bp", 0, 10000);
  if (!floor.ok()) return floor.status();
  const auto bits = BoundedParameter(parameters, "min_bits", 0, 32);
  if (!bits.ok()) return bits.status();
  const auto pin = StringParameter(parameters, "operating_point");
  if (!pin.ok()) return pin.status();

  const auto& points = model.network.points;
  const int64_t least_accuracy =
      std::max<int64_t>({floor->value_or(0), sla_class.accuracy_floor_bp, tenant.accuracy_floor_bp});
  const int64_t least_bits = bits->value_or(0);
  int best_accuracy = 0, most_bits = 0;
  bool pin_known = false;
  scheduler::PointSet allowed;
  std::vector<absl::string_view> names;
  for (size_t i = 0; i < points.size(); ++i) {
    const int accuracy = ToBasisPoints(points[i].accuracy);
    best_accuracy = std::max(best_accuracy, accuracy);
    most_bits = std::max(most_bits, points[i].weight_bits);
    names.push_back(points[i].name);
    const bool pinned = !pin->has_value() || points[i].name == **pin;
    pin_known = pin_known || pinned;
    if (pinned && accuracy >= least_accuracy && points[i].weight_bits >= least_bits) {
      allowed = allowed.With(ToPointId(static_cast<int>(i)));
    }
  }
  if (!pin_known) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown 'operating_point' ", Quoted(**pin), ", known: ", absl::StrJoin(names, ", ")));
  }
  if (!allowed.empty()) return allowed;
  if (least_accuracy > best_accuracy) {
    return absl::InvalidArgumentError(absl::StrCat("no operating point has an accuracy of ", least_accuracy,
                                                   " basis points, the best available has ", best_accuracy));
  }
  if (least_bits > most_bits) {
    return absl::InvalidArgumentError(
        absl::StrCat("no operating point has ", least_bits, " bits, the most available is ", most_bits));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(pin->has_value() ? absl::StrCat("operating point ", Quoted(**pin), " does not have")
                                    : std::string("no operating point has both"),
                   " an accuracy of at least ", least_accuracy, " basis points and at least ", least_bits, " bits"));
}

// ---- Tensors

// The datatypes of the first field that holds elements, other than the one for UINT8; empty if there is none.
absl::string_view ForeignContents(const InferTensorContents& contents) {
  if (contents.bool_contents_size() > 0) return "BOOL";
  if (contents.int_contents_size() > 0) return "INT8, INT16 or INT32";
  if (contents.int64_contents_size() > 0) return "INT64";
  if (contents.uint64_contents_size() > 0) return "UINT64";
  if (contents.fp32_contents_size() > 0) return "FP32";
  if (contents.fp64_contents_size() > 0) return "FP64";
  if (contents.bytes_contents_size() > 0) return "BYTES";
  return "";
}

absl::Status RefuseSharedMemory(const Parameters& parameters, absl::string_view tensor) {
  for (const char* name : {"shared_memory_region", "shared_memory_byte_size", "shared_memory_offset"}) {
    if (parameters.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", name, "' of tensor ", Quoted(tensor), ": this server has no shared memory"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int> CheckShape(const ModelInferRequest::InferInputTensor& input, const ServedModel& model) {
  const std::vector<int64_t>& row = model.network.input.shape;
  const auto& shape = input.shape();
  const bool fits = shape.size() == static_cast<int>(row.size()) + 1 && shape[0] >= 1 &&
                    std::equal(row.begin(), row.end(), shape.begin() + 1);
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected shape for input ", Quoted(input.name()), " for model '",
                                                   model.network.name, "'. Expected [-1,", absl::StrJoin(row, ","),
                                                   "], got ", ShapeText(shape), "."));
  }
  if (shape[0] > model.max_batch) {
    return absl::InvalidArgumentError(absl::StrCat("inference request batch-size must be <= ", model.max_batch,
                                                   " for '", model.network.name, "', got ", shape[0], "."));
  }
  return static_cast<int>(shape[0]);
}

absl::StatusOr<std::vector<uint8_t>> ReadContents(const ModelInferRequest::InferInputTensor& input, size_t elements,
                                                  const std::string& of_model) {
  if (const absl::string_view foreign = ForeignContents(input.contents()); !foreign.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected explicit tensor data for input tensor ",
                                                   Quoted(input.name()), of_model, " of type ", foreign,
                                                   ", expected datatype UINT8."));
  }
  const auto& values = input.contents().uint_contents();
  if (values.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unable to find data for input tensor ", Quoted(input.name()), of_model, " in request."));
  }
  if (static_cast<size_t>(values.size()) != elements) {
    return absl::InvalidArgumentError(absl::StrCat("input element count mismatch for input ", Quoted(input.name()),
                                                   of_model, ". Expected ", elements, ", got ", values.size(), "."));
  }
  std::vector<uint8_t> bytes(elements);
  for (size_t i = 0; i < elements; ++i) {
    const uint32_t value = values[static_cast<int>(i)];
    if (value > 255) {
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " of input ", Quoted(input.name()), of_model,
                                                     " is ", value, ", not from 0 to 255 as UINT8 demands."));
    }
    bytes[i] = static_cast<uint8_t>(value);
  }
  return bytes;
}

absl::StatusOr<std::vector<uint8_t>> ReadInput(const ModelInferRequest& request, size_t elements,
                                               const std::string& of_model) {
  const auto& input = request.inputs(0);
  if (request.raw_input_contents().empty()) return ReadContents(input, elements, of_model);
  if (input.contents().uint_contents_size() > 0 || !ForeignContents(input.contents()).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("contents field must not be specified when using raw_input_contents for ", Quoted(input.name()),
                     of_model, "."));
  }
  if (request.raw_input_contents_size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("expected 1 entry in raw_input_contents but got ",
                                                   request.raw_input_contents_size(), of_model, "."));
  }
  const std::string& raw = request.raw_input_contents(0);
  if (raw.size() != elements) {
    return absl::InvalidArgumentError(absl::StrCat("input byte size mismatch for input ", Quoted(input.name()),
                                                   of_model, ". Expected ", elements, ", got ", raw.size(), "."));
  }
  return std::vector<uint8_t>(raw.begin(), raw.end());
}

// Rows and contents of the one input.
absl::Status TranslateInput(const ModelInferRequest& request, const ServedModel& model, InferCall& call) {
  const model::TensorDescription& expected = model.network.input;
  const std::string of_model = absl::StrCat(" for model '", model.network.name, "'");
  if (request.inputs_size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected 1 inputs but got ", request.inputs_size(), " inputs", of_model, "."));
  }
  const auto& input = request.inputs(0);
  if (input.name() != expected.name) {
    return absl::InvalidArgumentError(absl::StrCat("expected 1 inputs but got 1 inputs", of_model, ". Got input(s) [",
                                                   Quoted(input.name()), "], but missing required input(s) ['",
                                                   expected.name, "']. Please provide all required input(s)."));
  }
  if (absl::Status status = RefuseSharedMemory(input.parameters(), input.name()); !status.ok()) return status;
  if (absl::Status status = CheckForeignParameters(input.parameters()); !status.ok()) return status;
  if (input.datatype() != "UINT8") {
    return absl::InvalidArgumentError(absl::StrCat("inference input ", Quoted(input.name()), of_model, " has datatype ",
                                                   Quoted(input.datatype()), ", expected 'UINT8'."));
  }
  const absl::StatusOr<int> rows = CheckShape(input, model);
  if (!rows.ok()) return rows.status();
  absl::StatusOr<std::vector<uint8_t>> bytes =
      ReadInput(request, static_cast<size_t>(*rows) * static_cast<size_t>(expected.elements), of_model);
  if (!bytes.ok()) return bytes.status();
  call.rows = *rows;
  call.input = *std::move(bytes);
  return absl::OkStatus();
}

// Which form of the one output is wanted. None requested means all of them.
absl::Status TranslateOutputs(const ModelInferRequest& request, const ServedModel& model, InferCall& call) {
  const model::TensorDescription& expected = model.network.output;
  if (request.outputs_size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("expected at most 1 outputs but got ", request.outputs_size(),
                                                   " outputs for model '", model.network.name, "'."));
  }
  for (const auto& output : request.outputs()) {
    if (output.name() != expected.name) {
      return absl::InvalidArgumentError(absl::StrCat("unexpected inference output ", Quoted(output.name()),
                                                     " for model '", model.network.name, "', expected '", expected.name,
                                                     "'."));
    }
    if (absl::Status status = RefuseSharedMemory(output.parameters(), output.name()); !status.ok()) return status;
    if (absl::Status status = CheckForeignParameters(output.parameters()); !status.ok()) return status;
    const auto classes =
        BoundedParameter(output.parameters(), "classification", 1, std::numeric_limits<int64_t>::max());
    if (!classes.ok()) return classes.status();
    call.top_classes = static_cast<int>(std::min(classes->value_or(0), expected.elements));
  }
  return absl::OkStatus();
}

// ---- Responses

void SetInt64(ModelInferResponse& response, const char* name, int64_t value) {
  (*response.mutable_parameters())[name].set_int64_param(value);
}

// The `count` highest logits of a row, highest first, as BYTES elements "value:index" or "value:index:label".
// Not-a-number counts as lowest and equal logits keep their order, so the order is total whatever a network returns.
std::string TopClasses(const float* logits, int size, int count, const std::vector<std::string>& labels) {
  std::vector<int> order(size);
  std::iota(order.begin(), order.end(), 0);
  const auto rank = [&](int i) { return std::isnan(logits[i]) ? -std::numeric_limits<float>::infinity() : logits[i]; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return rank(a) > rank(b); });
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    std::string element = absl::StrFormat("%f:%d", logits[order[i]], order[i]);
    if (!labels.empty()) absl::StrAppend(&element, ":", labels[order[i]]);
    const auto length = static_cast<uint32_t>(element.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
    bytes += element;
  }
  return bytes;
}

void AddOutput(const std::vector<float>& logits, const InferCall& call, const model::NetworkDescription& network,
               ModelInferResponse& response) {
  auto& output = *response.add_outputs();
  output.set_name(network.output.name);
  output.add_shape(call.rows);
  std::string& raw = *response.add_raw_output_contents();
  if (call.top_classes == 0) {
    output.set_datatype("FP32");
    for (int64_t dimension : network.output.shape) output.add_shape(dimension);
    raw.assign(reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float));
    return;
  }
  output.set_datatype("BYTES");
  output.add_shape(call.top_classes);
  const int classes = static_cast<int>(network.output.elements);
  for (int row = 0; row < call.rows; ++row) {
    raw += TopClasses(logits.data() + row * classes, classes, call.top_classes, network.labels);
  }
}

// Names as a JSON array of strings: a name may hold any character.
std::string JsonArray(const std::vector<std::string>& names) {
  google::protobuf::ListValue list;
  for (const std::string& name : names) list.add_values()->set_string_value(name);
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(list, &json);
  return json;
}

}  // namespace

absl::Status CheckModel(absl::string_view name, absl::string_view version, const model::NetworkDescription& network) {
  if (name != network.name) {
    return absl::NotFoundError(absl::StrCat("Request for unknown model: ", Quoted(name), " is not found"));
  }
  if (version.empty()) return absl::OkStatus();
  int64_t number = 0;
  if (!std::all_of(version.begin(), version.end(), absl::ascii_isdigit) || !absl::SimpleAtoi(version, &number) ||
      number < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("failed to get model version from specified version string ", Quoted(version)));
  }
  if (number != network.version) {
    return absl::NotFoundError(absl::StrCat("Request for unknown model: '", network.name, "' version ", number,
                                            " is not found, the served version is ", network.version));
  }
  return absl::OkStatus();
}

absl::StatusOr<InferCall> TranslateRequest(const ModelInferRequest& request, const ServedModel& model) {
  InferCall call;
  absl::Status status = CheckModel(request.model_name(), request.model_version(), model.network);
  if (!status.ok()) return status;
  const absl::StatusOr<size_t> class_index = FindNamed(request.parameters(), "sla_class", model.sla_classes);
  if (!class_index.ok()) return class_index.status();
  call.sla_class = static_cast<scheduler::SlaClassId>(*class_index);
  const absl::StatusOr<size_t> tenant_index = FindNamed(request.parameters(), "tenant", model.tenants);
  if (!tenant_index.ok()) return tenant_index.status();
  call.tenant = static_cast<scheduler::TenantId>(*tenant_index);
  const SlaClass& sla_class = model.sla_classes[*class_index];
  const absl::StatusOr<Duration> limit = FindTimeLimit(request.parameters(), sla_class);
  if (!limit.ok()) return limit.status();
  call.time_limit = *limit;
  const absl::StatusOr<scheduler::PointSet> allowed =
      FindAllowedPoints(request.parameters(), sla_class, model.tenants[*tenant_index], model);
  if (!allowed.ok()) return allowed.status();
  call.allowed = *allowed;
  if (status = CheckForeignParameters(request.parameters()); !status.ok()) return status;
  if (status = TranslateOutputs(request, model, call); !status.ok()) return status;
  if (status = TranslateInput(request, model, call); !status.ok()) return status;
  return call;
}

ModelInferResponse TranslateOutcome(const scheduler::Outcome& outcome, const std::string& request_id,
                                    const InferCall& call, const ServedModel& model) {
  ModelInferResponse response;
  response.set_model_name(model.network.name);
  response.set_model_version(absl::StrCat(model.network.version));
  response.set_id(request_id);
  const model::OperatingPoint& point = model.network.points[ToIndex(outcome.point)];
  (*response.mutable_parameters())["operating_point"].set_string_param(point.name);
  SetInt64(response, "bits", point.weight_bits);
  SetInt64(response, "expected_accuracy_bp", ToBasisPoints(outcome.expected_accuracy));
  SetInt64(response, "queue_us", ToMicros(outcome.queue_time));
  SetInt64(response, "compute_us", ToMicros(outcome.compute_time));
  SetInt64(response, "batch_size", outcome.batch_rows);
  (*response.mutable_parameters())["deadline_met"].set_bool_param(outcome.deadline_met);
  AddOutput(static_cast<const InferencePayload&>(*outcome.payload).output, call, model.network, response);
  return response;
}

inference::ModelMetadataResponse DescribeModel(const ServedModel& model) {
  inference::ModelMetadataResponse response;
  response.set_name(model.network.name);
  response.add_versions(absl::StrCat(model.network.version));
  response.set_platform(std::string(kPlatform));
  const auto describe = [](const model::TensorDescription& from, const char* datatype,
                           inference::ModelMetadataResponse::TensorMetadata& to) {
    to.set_name(from.name);
    to.set_datatype(datatype);
    to.add_shape(-1);
    for (int64_t dimension : from.shape) to.add_shape(dimension);
  };
  describe(model.network.input, "UINT8", *response.add_inputs());
  describe(model.network.output, "FP32", *response.add_outputs());

  auto& properties = *response.mutable_properties();
  std::vector<std::string> points;
  for (const model::OperatingPoint& point : model.network.points) {
    points.push_back(point.name);
    const std::string prefix = absl::StrCat("operating_point.", point.name, ".");
    properties[prefix + "accuracy_bp"] = absl::StrCat(ToBasisPoints(point.accuracy));
    properties[prefix + "weight_bits"] = absl::StrCat(point.weight_bits);
    properties[prefix + "activation_bits"] = absl::StrCat(point.activation_bits);
  }
  properties["operating_points"] = absl::StrJoin(points, ",");
  std::vector<std::string> classes;
  for (const SlaClass& sla_class : model.sla_classes) {
    classes.push_back(sla_class.name);
    const std::string prefix = absl::StrCat("sla_class.", sla_class.name, ".");
    properties[prefix + "objective_us"] = absl::StrCat(ToMicros(sla_class.objective));
    properties[prefix + "accuracy_floor_bp"] = absl::StrCat(sla_class.accuracy_floor_bp);
    properties[prefix + "weight"] = absl::StrCat(sla_class.weight);
  }
  properties["sla_classes"] = absl::StrJoin(classes, ",");
  std::vector<std::string> tenants;
  for (const Tenant& tenant : model.tenants) {
    tenants.push_back(tenant.name);
    const std::string prefix = absl::StrCat("tenant.", tenant.name, ".");
    properties[prefix + "share"] = absl::StrCat(tenant.share);
    properties[prefix + "accuracy_floor_bp"] = absl::StrCat(tenant.accuracy_floor_bp);
  }
  properties["tenants"] = absl::StrJoin(tenants, ",");
  properties["labels_json"] = JsonArray(model.network.labels);
  // For clients that split at commas: only where that gives the labels back.
  const bool splittable =
      absl::c_none_of(model.network.labels, [](const std::string& label) { return absl::StrContains(label, ','); });
  if (splittable) properties["labels"] = absl::StrJoin(model.network.labels, ",");
  return response;
}

inference::ModelConfig ConfigureModel(const ServedModel& model) {
  inference::ModelConfig config;
  config.set_name(model.network.name);
  config.set_platform(std::string(kPlatform));
  config.set_backend("anybit");
  config.set_max_batch_size(model.max_batch);
  config.mutable_version_policy()->mutable_latest()->set_num_versions(1);
  auto& input = *config.add_input();
  input.set_name(model.network.input.name);
  input.set_data_type(inference::TYPE_UINT8);
  for (int64_t dimension : model.network.input.shape) input.add_dims(dimension);
  auto& output = *config.add_output();
  output.set_name(model.network.output.name);
  output.set_data_type(inference::TYPE_FP32);
  for (int64_t dimension : model.network.output.shape) output.add_dims(dimension);
  config.mutable_dynamic_batching();
  return config;
}

int LargestRequestBytes(const ServedModel& model) {
  // Typed contents take up to two bytes for each element (values above 127).
  const int64_t bytes = 2 * model.network.input.elements * model.max_batch + kRoomBesideTensors;
  return static_cast<int>(std::min<int64_t>(bytes, std::numeric_limits<int>::max()));
}

int64_t LargestRawRequestBytes(const ServedModel& model) {
  return model.network.input.elements * model.max_batch + kRoomBesideTensors;
}

std::string ShownText(absl::string_view text) { return Quoted(text); }

grpc::Status ToGrpcStatus(const absl::Status& status) {
  // The two enumerations agree number by number.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

grpc::Status ToGrpcStatus(const absl::Status& status, std::chrono::milliseconds retry_after) {
  google::rpc::RetryInfo retry;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(retry_after);
  retry.mutable_retry_delay()->set_seconds(seconds.count());
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(std::chrono::nanoseconds(retry_after - seconds).count()));
  google::rpc::Status detailed;
  detailed.set_code(static_cast<int>(status.code()));
  detailed.set_message(std::string(status.message()));
  detailed.add_details()->PackFrom(retry);
  const grpc::Status plain = ToGrpcStatus(status);
  return grpc::Status(plain.error_code(), plain.error_message(), detailed.SerializeAsString());
}

}  // namespace anybit::server
