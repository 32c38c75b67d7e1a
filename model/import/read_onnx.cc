#include "model/import/read_onnx.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/import/onnx_structure.h"
#include "model/import/onnx_tensor.h"

namespace anybit::model {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 31;
constexpr int kMaxNodes = 1 << 16;
constexpr int64_t kMaxElements = int64_t{1} << 29;  // of all tensors: 2 GiB of floats

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::StatusOr<int> OpsetOf(const onnx::ModelProto& model) {
  for (const auto& opset : model.opset_import()) {
    if (!opset.domain().empty() && opset.domain() != "ai.onnx") continue;
    if (opset.version() < kOldestOpset || opset.version() > kNewestOpset) {
      return Refused("opset ", opset.version(), " is outside ", kOldestOpset, "..", kNewestOpset);
    }
    return static_cast<int>(opset.version());
  }
  return Refused("no ONNX model, or one without an opset of ONNX's own operators");
}

class GraphReader {
 public:
  GraphReader(onnx::GraphProto& graph, const std::string& folder) : graph_(graph), folder_(folder) {}

  absl::Status Read(FloatGraph& out) {
    out.name = graph_.name();
    if (graph_.node_size() > kMaxNodes) return Refused(graph_.node_size(), " nodes exceed ", kMaxNodes);
    if (graph_.sparse_initializer_size() > 0) return Refused("sparse initializers are not supported");
    if (absl::Status status = ReadInitializers(out); !status.ok()) return status;
    if (absl::Status status = ReadInput(out); !status.ok()) return status;
    for (const auto& output : graph_.output()) out.outputs.push_back(output.name());
    if (out.outputs.empty()) return Refused("the graph has no output");
    for (onnx::NodeProto& node : *graph_.mutable_node()) {
      if (absl::Status status = ReadNode(node, out); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<std::shared_ptr<const Constant>> Tensor(const onnx::TensorProto& tensor) {
    absl::StatusOr<Constant> constant = ReadTensor(tensor, folder_);
    if (!constant.ok()) return constant.status();
    elements_ += constant->count();
    if (elements_ > kMaxElements) {
      return Refused("tensor '", tensor.name(), "': all tensors together exceed ", kMaxElements, " elements");
    }
    return std::make_shared<const Constant>(*std::move(constant));
  }

  absl::Status ReadInitializers(FloatGraph& out) {
    for (onnx::TensorProto& tensor : *graph_.mutable_initializer()) {
      absl::StatusOr<std::shared_ptr<const Constant>> constant = Tensor(tensor);
      if (!constant.ok()) return constant.status();
      if (!out.constants.emplace(tensor.name(), *std::move(constant)).second) {
        return Refused("two tensors are named '", tensor.name(), "'");
      }
      tensor.Clear();  // so that a large network is not twice in memory
    }
    return absl::OkStatus();
  }

  absl::Status ReadInput(FloatGraph& out) {
    std::vector<const onnx::ValueInfoProto*> inputs;
    for (const auto& input : graph_.input()) {
      if (!out.constants.contains(input.name())) inputs.push_back(&input);
    }
    if (inputs.size() != 1) return Refused("the graph has ", inputs.size(), " inputs, expected 1");
    const onnx::ValueInfoProto& input = *inputs[0];
    const auto& type = input.type().tensor_type();
    using onnx::TensorProto;
    const bool floats = type.elem_type() == TensorProto::FLOAT || type.elem_type() == TensorProto::FLOAT16 ||
                        type.elem_type() == TensorProto::DOUBLE;
    if (!input.type().has_tensor_type() || !(floats || type.elem_type() == TensorProto::UINT8)) {
      return Refused("input '", input.name(), "' is no tensor of floats or uint8");
    }
    out.input = {.name = input.name(), .codes = !floats};
    for (const auto& extent : type.shape().dim()) {
      out.input.shape.push_back(extent.has_dim_value() ? extent.dim_value() : -1);
    }
    return absl::OkStatus();
  }

  absl::Status ReadNode(const onnx::NodeProto& node, FloatGraph& out) {
    GraphNode read{.op = node.op_type(),
                   .inputs = {node.input().begin(), node.input().end()},
                   .outputs = {node.output().begin(), node.output().end()}};
    if (!node.domain().empty() && node.domain() != "ai.onnx") read.op = absl::StrCat(node.domain(), ".", read.op);
    read.name = !node.name().empty() ? node.name() : !read.outputs.empty() ? read.outputs[0] : read.op;
    for (const auto& attribute : node.attribute()) {
      Attribute& value = read.attributes[attribute.name()];
      value.integer = attribute.i();
      value.number = attribute.f();
      value.text = attribute.s();
      value.integers.assign(attribute.ints().begin(), attribute.ints().end());
      value.numbers.assign(attribute.floats().begin(), attribute.floats().end());
      if (!attribute.has_t()) continue;
      absl::StatusOr<std::shared_ptr<const Constant>> tensor = Tensor(attribute.t());
      if (!tensor.ok()) return Refused(Describe(read), ": ", tensor.status().message());
      value.tensor = *std::move(tensor);
    }
    out.nodes.push_back(std::move(read));
    return absl::OkStatus();
  }

  onnx::GraphProto& graph_;
  const std::string& folder_;
  int64_t elements_ = 0;
};

// The node that computes each value.
absl::StatusOr<std::map<std::string, size_t>> Producers(const FloatGraph& graph) {
  std::map<std::string, size_t> producers;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& output : graph.nodes[i].outputs) {
      if (output.empty()) continue;
      const bool known = graph.constants.contains(output) || output == graph.input.name;
      if (known || !producers.emplace(output, i).second) {
        return Refused(Describe(graph.nodes[i]), ": its output '", output, "' is also that of another node");
      }
    }
  }
  return producers;
}

// Orders the nodes that the outputs need, each after those that it reads.
absl::Status SortNodes(FloatGraph& graph) {
  const absl::StatusOr<std::map<std::string, size_t>> producers = Producers(graph);
  if (!producers.ok()) return producers.status();
  enum class State : uint8_t { kNew, kOpen, kDone };
  std::vector<State> states(graph.nodes.size(), State::kNew);
  std::vector<GraphNode> sorted;
  std::vector<std::pair<size_t, size_t>> path;  // nodes that wait for one that they read, and the input they are at
  const auto visit = [&](const std::string& value, const std::string& reader) -> absl::Status {
    if (value.empty() || graph.constants.contains(value) || value == graph.input.name) return absl::OkStatus();
    const auto found = producers->find(value);
    if (found == producers->end()) return Refused(reader, " reads '", value, "', which nothing computes");
    State& state = states[found->second];
    if (state == State::kOpen) {
      return Refused(Describe(graph.nodes[found->second]), ": the nodes behind it read each other in a cycle");
    }
    if (state == State::kNew) {
      state = State::kOpen;
      path.emplace_back(found->second, 0);
    }
    return absl::OkStatus();
  };
  for (const std::string& output : graph.outputs) {
    if (absl::Status status = visit(output, "an output"); !status.ok()) return status;
    while (!path.empty()) {
      const size_t index = path.back().first;
      GraphNode& node = graph.nodes[index];
      if (path.back().second == node.inputs.size()) {
        states[index] = State::kDone;
        path.pop_back();
        sorted.push_back(std::move(node));
        continue;
      }
      const std::string input = node.inputs[path.back().second++];
      if (absl::Status status = visit(input, Describe(node)); !status.ok()) return status;
    }
  }
  graph.nodes = std::move(sorted);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FloatGraph> ParseOnnx(absl::string_view text, const std::string& folder) {
  if (absl::Status status = CheckOnnxStructure(text); !status.ok()) return status;
  onnx::ModelProto model;
  if (!model.ParseFromArray(text.data(), static_cast<int>(text.size()))) {
    return Refused("no ONNX model, or only a part of one");
  }
  const absl::StatusOr<int> opset = OpsetOf(model);
  if (!opset.ok()) return opset.status();
  FloatGraph graph{.opset = *opset};
  if (absl::Status status = GraphReader(*model.mutable_graph(), folder).Read(graph); !status.ok()) return status;
  if (absl::Status status = SortNodes(graph); !status.ok()) return status;
  return graph;
}

absl::StatusOr<FloatGraph> ReadOnnx(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  absl::StatusOr<FloatGraph> graph = ParseOnnx(*text, folder.empty() ? "." : folder.string());
  if (graph.ok()) return graph;
  return absl::Status(graph.status().code(), absl::StrCat("'", path, "': ", graph.status().message()));
}

}  // namespace anybit::model
