#include "model/import/testing/composed_graphs.h"

#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "model/import/testing/onnx_builder.h"

namespace anybit::model {
namespace {

class Graph {
 public:
  explicit Graph(const std::vector<int64_t>& input) { onnx.Input("image", input); }

  // Weights that keep the size of values: their sum over the inputs has a deviation of 1.
  void Weights(const std::string& name, const std::vector<int64_t>& shape, int64_t inputs) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    std::vector<float> values;
    const double size = std::sqrt(3.0 / static_cast<double>(inputs));
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<float>((static_cast<double>(random_() % 2001) / 1000 - 1) * size));
    }
    onnx.Floats(name, shape, values);
  }

  // A convolution [out, in of a group, size, size] with a bias.
  onnx::NodeProto& Conv(const std::string& from, const std::string& to, const std::vector<int64_t>& shape) {
    Weights(to + ".weight", shape, shape[1] * shape[2] * shape[3]);
    Weights(to + ".bias", {shape[0]}, 3);
    return onnx.Node("Conv", {from, to + ".weight", to + ".bias"}, to);
  }

  void Head(const std::string& from, int64_t inputs) {
    Weights("head.weight", {inputs, 10}, inputs);
    Weights("head.bias", {10}, 3);
    onnx.Node("MatMul", {from, "head.weight"}, "product");
    onnx.Node("Add", {"product", "head.bias"}, "logits");
    onnx.Output("logits");
  }

  OnnxBuilder onnx;

 private:
  std::mt19937_64 random_{5};
};

}  // namespace

std::string MobileGraph() {
  Graph graph({-1, 3, 24, 24});
  OnnxBuilder& onnx = graph.onnx;
  onnx.Floats("zero", {}, {0});
  onnx.Floats("six", {}, {0.75f});  // so that it cuts
  SetText(SetIntegers(graph.Conv("image", "stem", {16, 3, 3, 3}), "strides", {2, 2}), "auto_pad", "SAME_UPPER");
  onnx.Node("Clip", {"stem", "zero", "six"}, "stem.clip");
  std::string last = "stem.clip";
  for (const std::string block : {"a", "b"}) {
    const int64_t channels = block == "a" ? 16 : 24;
    graph.Conv(last, block + ".expand", {48, channels, 1, 1});
    onnx.Node("Clip", {block + ".expand", "zero", "six"}, block + ".expand.clip");
    onnx::NodeProto& depthwise = graph.Conv(block + ".expand.clip", block + ".depthwise", {48, 1, 3, 3});
    SetText(SetInteger(depthwise, "group", 48), "auto_pad", "SAME_UPPER");
    SetIntegers(depthwise, "strides", block == "a" ? std::vector<int64_t>{2, 2} : std::vector<int64_t>{1, 1});
    onnx.Node("Clip", {block + ".depthwise", "zero", "six"}, block + ".depthwise.clip");
    graph.Conv(block + ".depthwise.clip", block + ".project", {24, 48, 1, 1});
    last = block + ".project";
  }
  onnx.Node("Add", {"a.project", last}, "sum");
  graph.Conv("sum", "last", {32, 24, 1, 1});
  onnx.Node("Clip", {"last", "zero", "six"}, "last.clip");
  SetInteger(SetIntegers(onnx.Node("ReduceMean", {"last.clip"}, "mean"), "axes", {2, 3}), "keepdims", 0);
  graph.Head("mean", 32);
  return onnx.Text();
}

std::string BranchedGraph() {
  Graph graph({-1, 3, 20, 20});
  OnnxBuilder& onnx = graph.onnx;
  SetIntegers(graph.Conv("image", "stem", {16, 3, 3, 3}), "pads", {1, 1, 1, 1});
  onnx.Node("Relu", {"stem"}, "stem.relu");
  onnx::NodeProto& pool = onnx.Node("MaxPool", {"stem.relu"}, "pool");
  SetInteger(SetIntegers(SetIntegers(pool, "kernel_shape", {3, 3}), "strides", {2, 2}), "ceil_mode", 1);
  graph.Conv("pool", "one", {8, 16, 1, 1});
  onnx.Node("Relu", {"one"}, "one.relu");
  SetIntegers(SetIntegers(graph.Conv("pool", "far", {12, 16, 3, 3}), "dilations", {2, 2}), "pads", {2, 2, 2, 2});
  onnx.Node("Relu", {"far"}, "far.relu");
  SetIntegers(SetInteger(graph.Conv("pool", "grouped", {16, 4, 3, 3}), "group", 4), "pads", {1, 1, 1, 1});
  onnx.Node("Relu", {"grouped"}, "grouped.relu");
  onnx::NodeProto& average = onnx.Node("AveragePool", {"pool"}, "average");
  SetIntegers(SetIntegers(average, "kernel_shape", {3, 3}), "pads", {1, 1, 1, 1});
  SetInteger(average, "count_include_pad", 1);
  SetInteger(onnx.Node("Concat", {"one.relu", "far.relu", "grouped.relu", "average"}, "all"), "axis", 1);
  SetIntegers(SetIntegers(onnx.Node("AveragePool", {"all"}, "halved"), "kernel_shape", {2, 2}), "strides", {2, 2});
  SetIntegers(graph.Conv("halved", "line", {24, 52, 1, 3}), "pads", {0, 1, 0, 1});
  onnx.Node("Relu", {"line"}, "line.relu");
  SetInteger(onnx.Node("Flatten", {"line.relu"}, "flat"), "axis", 1);
  graph.Head("flat", 24 * 5 * 5);
  return onnx.Text();
}

namespace {

// x * Sigmoid(x), and x * Clip(x + 3, 0, 6) / 6, as exporters write them.
std::string Silu(const std::string& from, OnnxBuilder& onnx) {
  onnx.Node("Sigmoid", {from}, from + ".sigmoid");
  onnx.Node("Mul", {from, from + ".sigmoid"}, from + ".silu");
  return from + ".silu";
}

std::string HardSwish(const std::string& from, OnnxBuilder& onnx) {
  onnx.Node("Add", {from, "three"}, from + ".plus");
  onnx.Node("Clip", {from + ".plus", "zero", "six"}, from + ".clip");
  onnx.Node("Mul", {from, from + ".clip"}, from + ".product");
  onnx.Node("Div", {from + ".product", "six"}, from + ".swish");
  return from + ".swish";
}

std::string Gelu(const std::string& from, OnnxBuilder& onnx) {
  onnx.Node("Div", {from, "root"}, from + ".root");
  onnx.Node("Erf", {from + ".root"}, from + ".erf");
  onnx.Node("Add", {from + ".erf", "one"}, from + ".plus");
  onnx.Node("Mul", {from, from + ".plus"}, from + ".product");
  onnx.Node("Mul", {from + ".product", "half"}, from + ".gelu");
  return from + ".gelu";
}

// The squeeze-excite of MobileNetV3, or that of EfficientNet.
std::string SqueezeExcite(const std::string& from, const std::string& name, int64_t channels, bool hard, Graph& graph) {
  OnnxBuilder& onnx = graph.onnx;
  if (hard) {
    SetInteger(SetIntegers(onnx.Node("ReduceMean", {from}, name + ".mean"), "axes", {2, 3}), "keepdims", 1);
  } else {
    onnx.Node("GlobalAveragePool", {from}, name + ".mean");
  }
  graph.Conv(name + ".mean", name + ".squeeze", {channels / 4, channels, 1, 1});
  if (hard) onnx.Node("Relu", {name + ".squeeze"}, name + ".relu");
  const std::string squeezed = hard ? name + ".relu" : Silu(name + ".squeeze", onnx);
  graph.Conv(squeezed, name + ".excite", {channels, channels / 4, 1, 1});
  if (hard) {
    SetFloat(onnx.Node("HardSigmoid", {name + ".excite"}, name + ".gate"), "alpha", 1.0f / 6);
  } else {
    onnx.Node("Sigmoid", {name + ".excite"}, name + ".gate");
  }
  onnx.Node("Mul", {from, name + ".gate"}, name + ".gated");
  return name + ".gated";
}

}  // namespace

std::string GatedGraph() {
  Graph graph({-1, 3, 24, 24});
  OnnxBuilder& onnx = graph.onnx;
  for (const auto& [name, value] :
       {std::pair("zero", 0.0f), std::pair("half", 0.5f), std::pair("one", 1.0f), std::pair("root", std::sqrt(2.0f)),
        std::pair("three", 3.0f), std::pair("six", 6.0f)}) {
    onnx.Floats(name, {}, {value});
  }
  SetText(SetIntegers(graph.Conv("image", "stem", {16, 3, 3, 3}), "strides", {2, 2}), "auto_pad", "SAME_UPPER");
  std::string last = HardSwish("stem", onnx);
  for (const bool hard : {false, true}) {
    const std::string name = hard ? "b" : "a";
    const int64_t channels = hard ? 24 : 16, wide = 48;
    graph.Conv(last, name + ".expand", {wide, channels, 1, 1});
    const std::string expanded = hard ? HardSwish(name + ".expand", onnx) : Silu(name + ".expand", onnx);
    onnx::NodeProto& depthwise = graph.Conv(expanded, name + ".depthwise", {wide, 1, 5, 5});
    SetIntegers(SetInteger(depthwise, "group", wide), "pads", {2, 2, 2, 2});
    SetIntegers(depthwise, "strides", hard ? std::vector<int64_t>{1, 1} : std::vector<int64_t>{2, 2});
    const std::string activated = hard ? name + ".depthwise" : Silu(name + ".depthwise", onnx);
    std::string gated = SqueezeExcite(activated, name, wide, hard, graph);
    if (hard) gated = HardSwish(gated, onnx);
    graph.Conv(gated, name + ".project", {24, wide, 1, 1});
    last = name + ".project";
  }
  onnx.Node("Add", {"a.project", last}, "sum");
  SetIntegers(graph.Conv("sum", "leaky", {20, 24, 3, 3}), "pads", {1, 1, 1, 1});
  SetFloat(onnx.Node("LeakyRelu", {"leaky"}, "leaky.relu"), "alpha", 0.2f);
  SetIntegers(graph.Conv("leaky.relu", "smooth", {20, 20, 3, 3}), "pads", {1, 1, 1, 1});
  graph.Conv(Gelu("smooth", onnx), "last", {32, 20, 1, 1});
  onnx.Node("GlobalAveragePool", {HardSwish("last", onnx)}, "mean");
  SetInteger(onnx.Node("Flatten", {"mean"}, "flat"), "axis", 1);
  graph.Weights("hidden.weight", {32, 40}, 32);
  onnx.Node("MatMul", {"flat", "hidden.weight"}, "hidden");
  graph.Head(HardSwish("hidden", onnx), 40);
  return onnx.Text();
}

std::string ShuffledGraph() {
  Graph graph({-1, 3, 16, 16});
  OnnxBuilder& onnx = graph.onnx;
  onnx.Integers("rows", {-1, 2, 12, 8, 8});
  onnx.Integers("map", {-1, 24, 8, 8});
  SetIntegers(SetIntegers(graph.Conv("image", "stem", {24, 3, 3, 3}), "strides", {2, 2}), "pads", {1, 1, 1, 1});
  onnx.Node("Relu", {"stem"}, "stem.relu");
  std::string last = "stem.relu";
  for (const std::string block : {"a", "b", "c"}) {
    onnx::NodeProto& split = onnx.Node("Split", {last}, block + ".left");
    split.add_output(block + ".right");
    SetInteger(split, "axis", 1);
    graph.Conv(block + ".right", block + ".first", {12, 12, 1, 1});
    onnx.Node("Relu", {block + ".first"}, block + ".first.relu");
    SetIntegers(SetInteger(graph.Conv(block + ".first.relu", block + ".depthwise", {12, 1, 3, 3}), "group", 12), "pads",
                {1, 1, 1, 1});
    graph.Conv(block + ".depthwise", block + ".last", {12, 12, 1, 1});
    onnx.Node("Relu", {block + ".last"}, block + ".last.relu");
    SetInteger(onnx.Node("Concat", {block + ".left", block + ".last.relu"}, block + ".all"), "axis", 1);
    onnx.Node("Reshape", {block + ".all", "rows"}, block + ".rows");
    SetIntegers(onnx.Node("Transpose", {block + ".rows"}, block + ".columns"), "perm", {0, 2, 1, 3, 4});
    last = block + ".shuffled";
    onnx.Node("Reshape", {block + ".columns", "map"}, last);
  }
  SetIntegers(onnx.Node("ReduceMean", {last}, "mean"), "axes", {2, 3});
  SetInteger(*onnx.proto().mutable_graph()->mutable_node(onnx.proto().graph().node_size() - 1), "keepdims", 0);
  graph.Head("mean", 24);
  return onnx.Text();
}

}  // namespace anybit::model
