#include "model/format/artifact.h"

#include <google/protobuf/util/json_util.h>
#include <zlib.h>

#include <cstring>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "model/format/invalid.h"
#include "model/format/safetensors.h"

namespace anybit::model {
namespace {

constexpr char kFormatKey[] = "anybit.format";
constexpr char kHeaderKey[] = "anybit.header";
constexpr char kChecksumKey[] = "anybit.crc32";
constexpr char kFormat[] = "1";
constexpr int64_t kMaxFileBytes = int64_t{4} << 30;  // read into memory as a whole

std::string Checksum(absl::string_view header, absl::string_view data) {
  uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(header.data()), header.size());
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(data.data()), data.size());
  return absl::StrCat(absl::Hex(static_cast<uint32_t>(crc), absl::kZeroPad8));
}

std::vector<int64_t> WeightShape(const PlannedNode& node) {
  if (node.kind == NodeKind::kLinear) return {node.out.channels, node.depth};
  return {node.out.channels, node.kernel, node.kernel, node.depthwise ? 1 : node.in.channels};
}

// Takes tensors out of a parsed file; those that remain are unexpected.
class TensorTaker {
 public:
  explicit TensorTaker(TensorFile& file) : file_(file) {}

  template <typename T>
  absl::Status Take(const std::string& name, const std::vector<int64_t>& shape, std::vector<T>& values) {
    constexpr ElementType kType = sizeof(T) == 1 ? ElementType::kInt8 : ElementType::kFloat32;
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) return Invalid("tensor '", name, "' is missing");
    const TensorView& tensor = found->second;
    if (tensor.type != kType) return Invalid("tensor '", name, "' has the wrong element type");
    if (tensor.shape != shape) {
      return Invalid("tensor '", name, "' has shape [", absl::StrJoin(tensor.shape, ","), "], expected [",
                     absl::StrJoin(shape, ","), "]");
    }
    values.resize(tensor.bytes.size() / sizeof(T));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    file_.tensors.erase(found);
    return absl::OkStatus();
  }

  bool Has(const std::string& name) const { return file_.tensors.contains(name); }

  absl::Status CheckNothingLeft() const {
    if (file_.tensors.empty()) return absl::OkStatus();
    return Invalid("unexpected tensor '", file_.tensors.begin()->first, "' and ", file_.tensors.size() - 1, " more");
  }

 private:
  TensorFile& file_;
};

absl::Status TakeStore(TensorTaker& tensors, const NetworkPlan& plan, Artifact& artifact) {
  for (int index : plan.layers) {
    const PlannedNode& node = plan.nodes[index];
    LayerStore& store = artifact.store.emplace_back();
    const std::string full_name = absl::StrCat("full.", node.name, ".weight");
    absl::Status status = tensors.Take(absl::StrCat("store.", node.name, ".weight"), WeightShape(node), store.q8);
    status.Update(tensors.Take(absl::StrCat("store.", node.name, ".scale"), {node.out.channels}, store.scale));
    if (tensors.Has(full_name)) status.Update(tensors.Take(full_name, WeightShape(node), store.full));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Bytes stand for codes less by 128.
constexpr int kTableOffset = 128;

absl::Status TakeTable(TensorTaker& tensors, const std::string& name, std::vector<uint8_t>& table) {
  std::vector<int8_t> bytes;
  if (absl::Status status = tensors.Take(name, {kTableCodes}, bytes); !status.ok()) return status;
  for (const int8_t byte : bytes) table.push_back(static_cast<uint8_t>(byte + kTableOffset));
  return absl::OkStatus();
}

absl::Status TakeGates(TensorTaker& tensors, const NetworkPlan& plan, const proto::OperatingPoint& header,
                       ArtifactPoint& point) {
  const int expected = point.full_precision ? 0 : static_cast<int>(plan.gates.size());
  if (header.gates_size() != expected) {
    return Invalid("point '", header.name(), "' lists ", header.gates_size(), " gates, expected ", expected);
  }
  for (int i = 0; i < expected; ++i) {
    const std::string& node = plan.nodes[plan.gates[i]].name;
    const proto::GatePoint& codes = header.gates(i);
    if (codes.node() != node) {
      return Invalid("point '", header.name(), "' lists gate '", codes.node(), "' where '", node, "' stands");
    }
    std::vector<float> scale;
    if (absl::Status s = tensors.Take(absl::StrCat(header.name(), ".", node, ".scale"), {1}, scale); !s.ok()) return s;
    point.gates.push_back({.scale = scale[0], .highest_code = codes.highest_code(), .zero_code = codes.zero_code()});
  }
  return absl::OkStatus();
}

absl::StatusOr<ArtifactPoint> TakePoint(TensorTaker& tensors, const NetworkPlan& plan,
                                        const proto::OperatingPoint& header) {
  ArtifactPoint point;
  point.info = {.name = header.name(),
                .weight_bits = header.weight_bits(),
                .activation_bits = header.activation_bits(),
                .accuracy = header.accuracy()};
  point.full_precision = header.full_precision();
  point.accuracy_images = header.accuracy_images();
  const int expected = point.full_precision ? 0 : static_cast<int>(plan.layers.size());
  if (header.layers_size() != expected) {
    return Invalid("point '", header.name(), "' lists ", header.layers_size(), " layers, expected ", expected);
  }
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlannedNode& node = plan.layer(static_cast<int>(i));
    LayerEpilogue& layer = point.layers.emplace_back();
    const std::string prefix = absl::StrCat(header.name(), ".", node.name);
    absl::Status status = tensors.Take(prefix + ".scale", {node.out.channels}, layer.scale);
    status.Update(tensors.Take(prefix + ".bias", {node.out.channels}, layer.bias));
    if (node.has_residual) {
      std::vector<float> residual;
      status.Update(tensors.Take(prefix + ".residual_scale", {1}, residual));
      if (!residual.empty()) layer.residual_scale = residual[0];
    }
    if (!status.ok()) return status;
    if (point.full_precision) continue;
    const proto::LayerPoint& codes = header.layers(static_cast<int>(i));
    if (codes.node() != node.name) {
      return Invalid("point '", header.name(), "' lists layer '", codes.node(), "' where '", node.name, "' stands");
    }
    layer.weights = {.step = codes.weights().step(),
                     .lo = codes.weights().lo(),
                     .hi = codes.weights().hi(),
                     .sign = codes.weights().sign()};
    layer.highest_code = codes.highest_code();
    layer.zero_code = codes.zero_code();
    if (!node.activation.is_tabled()) continue;
    if (absl::Status s = TakeTable(tensors, prefix + ".table", layer.table); !s.ok()) return s;
  }
  if (absl::Status status = TakeGates(tensors, plan, header, point); !status.ok()) return status;
  return point;
}

proto::ArtifactHeader MakeHeader(const Artifact& artifact, const NetworkPlan& plan) {
  proto::ArtifactHeader header;
  *header.mutable_network() = artifact.spec;
  header.set_version(artifact.version);
  header.set_trained_with(artifact.trained_with);
  for (const ArtifactPoint& point : artifact.points) {
    proto::OperatingPoint& out = *header.add_points();
    out.set_name(point.info.name);
    out.set_full_precision(point.full_precision);
    out.set_weight_bits(point.info.weight_bits);
    out.set_activation_bits(point.info.activation_bits);
    out.set_accuracy(point.info.accuracy);
    out.set_accuracy_images(point.accuracy_images);
    if (point.full_precision) continue;
    for (size_t i = 0; i < point.layers.size(); ++i) {
      proto::LayerPoint& layer = *out.add_layers();
      layer.set_node(plan.layer(static_cast<int>(i)).name);
      layer.mutable_weights()->set_step(point.layers[i].weights.step);
      layer.mutable_weights()->set_lo(point.layers[i].weights.lo);
      layer.mutable_weights()->set_hi(point.layers[i].weights.hi);
      layer.mutable_weights()->set_sign(point.layers[i].weights.sign);
      layer.set_highest_code(point.layers[i].highest_code);
      layer.set_zero_code(point.layers[i].zero_code);
    }
    for (size_t i = 0; i < point.gates.size(); ++i) {
      proto::GatePoint& gate = *out.add_gates();
      gate.set_node(plan.nodes[plan.gates[i]].name);
      gate.set_highest_code(point.gates[i].highest_code);
      gate.set_zero_code(point.gates[i].zero_code);
    }
  }
  return header;
}

}  // namespace

std::string SerializeArtifact(const Artifact& artifact) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  SafetensorsWriter writer;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlannedNode& node = plan.layer(static_cast<int>(i));
    const LayerStore& store = artifact.store[i];
    writer.AddInt8(absl::StrCat("store.", node.name, ".weight"), WeightShape(node), store.q8);
    writer.AddFloat(absl::StrCat("store.", node.name, ".scale"), {node.out.channels}, store.scale);
    if (!store.full.empty())
      writer.AddFloat(absl::StrCat("full.", node.name, ".weight"), WeightShape(node), store.full);
    for (const ArtifactPoint& point : artifact.points) {
      const std::string prefix = absl::StrCat(point.info.name, ".", node.name);
      writer.AddFloat(prefix + ".scale", {node.out.channels}, point.layers[i].scale);
      writer.AddFloat(prefix + ".bias", {node.out.channels}, point.layers[i].bias);
      if (node.has_residual) writer.AddFloat(prefix + ".residual_scale", {1}, {&point.layers[i].residual_scale, 1});
      std::vector<int8_t> table;
      for (const uint8_t code : point.layers[i].table) table.push_back(static_cast<int8_t>(code - kTableOffset));
      if (!table.empty()) writer.AddInt8(prefix + ".table", {kTableCodes}, table);
    }
  }
  for (const ArtifactPoint& point : artifact.points) {
    for (size_t i = 0; i < point.gates.size(); ++i) {
      const std::string name = absl::StrCat(point.info.name, ".", plan.nodes[plan.gates[i]].name, ".scale");
      writer.AddFloat(name, {1}, {&point.gates[i].scale, 1});
    }
  }
  std::string header;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  // Fails only for messages it does not know or text that is not UTF-8, and protobuf strings are.
  (void)google::protobuf::util::MessageToJsonString(MakeHeader(artifact, plan), &header, options);
  writer.AddMetadata(kFormatKey, kFormat);
  writer.AddMetadata(kHeaderKey, header);
  writer.AddMetadata(kChecksumKey, Checksum(header, writer.Data()));
  return writer.Finish();
}

absl::StatusOr<Artifact> ParseArtifact(absl::string_view text) {
  absl::StatusOr<TensorFile> file = ParseSafetensors(text);
  if (!file.ok()) return file.status();
  for (const char* key : {kFormatKey, kHeaderKey, kChecksumKey}) {
    if (!file->metadata.contains(key)) return absl::DataLossError(absl::StrCat("metadata '", key, "' is missing"));
  }
  if (file->metadata[kFormatKey] != kFormat) {
    return absl::UnimplementedError(
        absl::StrCat("artifact format '", file->metadata[kFormatKey], "', this program reads format '", kFormat, "'"));
  }
  const std::string checksum = Checksum(file->metadata[kHeaderKey], file->data);
  if (checksum != file->metadata[kChecksumKey]) {
    return absl::DataLossError(
        absl::StrCat("checksum is ", checksum, ", the file says ", file->metadata[kChecksumKey], ": it is damaged"));
  }
  proto::ArtifactHeader header;
  const auto parsed = google::protobuf::util::JsonStringToMessage(file->metadata[kHeaderKey], &header);
  if (!parsed.ok()) return Invalid("metadata '", kHeaderKey, "': ", parsed.ToString());

  Artifact artifact;
  artifact.spec = header.network();
  artifact.version = header.version();
  artifact.trained_with = header.trained_with();
  artifact.checksum = checksum;
  absl::StatusOr<NetworkPlan> plan = PlanNetwork(artifact.spec);
  if (!plan.ok()) return plan.status();
  TensorTaker tensors(*file);
  if (absl::Status status = TakeStore(tensors, *plan, artifact); !status.ok()) return status;
  for (const proto::OperatingPoint& point : header.points()) {
    if (absl::Status status = CheckPointName(point.name()); !status.ok()) return status;
    absl::StatusOr<ArtifactPoint> taken = TakePoint(tensors, *plan, point);
    if (!taken.ok()) return taken.status();
    artifact.points.push_back(*std::move(taken));
  }
  if (absl::Status status = tensors.CheckNothingLeft(); !status.ok()) return status;
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  return artifact;
}

absl::StatusOr<Artifact> ReadArtifact(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return absl::Status(text.status().code(), absl::StrCat("artifact: ", text.status().message()));
  absl::StatusOr<Artifact> artifact = ParseArtifact(*text);
  if (!artifact.ok()) {
    return absl::Status(artifact.status().code(), absl::StrCat("artifact '", path, "': ", artifact.status().message()));
  }
  return artifact;
}

absl::Status WriteArtifact(const Artifact& artifact, const std::string& path) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  return ReplaceFile(path, SerializeArtifact(artifact));
}

}  // namespace anybit::model
