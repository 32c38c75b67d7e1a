#include "server/describe_model.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/time.h"

namespace anybit::server {
namespace {

using Properties = google::protobuf::Map<std::string, std::string>;
using TensorMetadata = inference::ModelMetadataResponse::TensorMetadata;

// Names as a JSON array of strings: a name may hold any character.
std::string JsonArray(const std::vector<std::string>& names) {
  google::protobuf::ListValue list;
  for (const std::string& name : names) list.add_values()->set_string_value(name);
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(list, &json);
  return json;
}

void DescribeTensor(const model::TensorDescription& tensor, const char* datatype, TensorMetadata& metadata) {
  metadata.set_name(tensor.name);
  metadata.set_datatype(datatype);
  metadata.add_shape(-1);
  for (int64_t dimension : tensor.shape) metadata.add_shape(dimension);
}

// Each of `items` by `describe`, which gets the prefix of its properties; the list of their names as `list`.
template <typename Item, typename Describe>
void DescribeEach(const std::vector<Item>& items, absl::string_view kind, const std::string& list,
                  Properties& properties, Describe describe) {
  std::vector<std::string> names;
  for (const Item& item : items) {
    names.push_back(item.name);
    describe(item, absl::StrCat(kind, ".", item.name, "."));
  }
  properties[list] = absl::StrJoin(names, ",");
}

void DescribeLabels(const std::vector<std::string>& labels, Properties& properties) {
  properties["labels_json"] = JsonArray(labels);
  // For clients that split at commas: only where that gives the labels back.
  const bool splittable =
      absl::c_none_of(labels, [](const std::string& label) { return absl::StrContains(label, ','); });
  if (splittable) properties["labels"] = absl::StrJoin(labels, ",");
}

// How FP32 tensors of the input become codes.
void DescribeFloats(const model::FloatInput& floats, Properties& properties) {
  const auto numbers = [](const std::vector<double>& values) {
    return absl::StrJoin(values, ",",
                         [](std::string* out, double value) { absl::StrAppendFormat(out, "%.9g", value); });
  };
  properties["fp32_input.shape"] = absl::StrCat("-1,", absl::StrJoin(floats.shape, ","));
  properties["fp32_input.layout"] = floats.channels_first ? "NCHW" : "NHWC";
  properties["fp32_input.scale"] = numbers({floats.scale});
  properties["fp32_input.mean"] = numbers(floats.mean);
  properties["fp32_input.std"] = numbers(floats.deviation);
}

// Operating points, SLA classes, tenants, labels and float inputs.
Properties PropertiesOf(const ServedModel& model) {
  Properties properties;
  DescribeEach(model.network.points, "operating_point", "operating_points", properties,
               [&](const model::OperatingPoint& point, const std::string& prefix) {
                 properties[prefix + "accuracy_bp"] = absl::StrCat(ToBasisPoints(point.accuracy));
                 properties[prefix + "weight_bits"] = absl::StrCat(point.weight_bits);
                 properties[prefix + "activation_bits"] = absl::StrCat(point.activation_bits);
               });
  DescribeEach(model.sla_classes, "sla_class", "sla_classes", properties,
               [&](const SlaClass& sla_class, const std::string& prefix) {
                 properties[prefix + "objective_us"] = absl::StrCat(ToMicros(sla_class.objective));
                 properties[prefix + "accuracy_floor_bp"] = absl::StrCat(sla_class.accuracy_floor_bp);
                 properties[prefix + "weight"] = absl::StrCat(sla_class.weight);
               });
  DescribeEach(model.tenants, "tenant", "tenants", properties, [&](const Tenant& tenant, const std::string& prefix) {
    properties[prefix + "share"] = absl::StrCat(tenant.share);
    properties[prefix + "accuracy_floor_bp"] = absl::StrCat(tenant.accuracy_floor_bp);
  });
  DescribeLabels(model.network.labels, properties);
  if (model.network.floats.has_value()) DescribeFloats(*model.network.floats, properties);
  return properties;
}

}  // namespace

inference::ModelMetadataResponse DescribeModel(const ServedModel& model) {
  inference::ModelMetadataResponse response;
  response.set_name(model.network.name);
  response.add_versions(absl::StrCat(model.network.version));
  response.set_platform(std::string(kPlatform));
  DescribeTensor(model.network.input, "UINT8", *response.add_inputs());
  DescribeTensor(model.network.output, "FP32", *response.add_outputs());

  *response.mutable_properties() = PropertiesOf(model);
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
  // The names are an entry of `parameters`, since a client cannot read the server's files.
  if (!model.network.labels.empty()) output.set_label_filename("labels_json");
  auto& batching = *config.mutable_dynamic_batching();
  const std::vector<size_t> levels = ClassesByPriority(model.sla_classes);
  batching.set_priority_levels(levels.size());
  for (size_t level = 0; level < levels.size(); ++level) {
    if (model.sla_classes[levels[level]].weight == model.sla_classes[0].weight) {
      batching.set_default_priority_level(level + 1);
    }
  }
  // Clients that do not know the metadata's properties find them here.
  for (const auto& [name, value] : PropertiesOf(model)) (*config.mutable_parameters())[name].set_string_value(value);
  return config;
}

}  // namespace anybit::server
