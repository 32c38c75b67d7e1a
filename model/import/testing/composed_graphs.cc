#include "model/import/testing/composed_graphs.h"

#include <cmath>
#include <cstdint>
#include <random>
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

}  // namespace anybit::model
