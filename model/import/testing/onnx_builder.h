// Writes small ONNX models for tests.
//
//   OnnxBuilder model;
//   model.Input("x", {1, 3, 8, 8});
//   model.Floats("w", {4, 3, 3, 3}, weights);
//   SetIntegers(model.Node("Conv", {"x", "w"}, "y"), "pads", {1, 1, 1, 1});
//   model.Output("y");
//   ImportOnnxText(model.Text(), {});
#ifndef ANYBIT_MODEL_IMPORT_TESTING_ONNX_BUILDER_H_
#define ANYBIT_MODEL_IMPORT_TESTING_ONNX_BUILDER_H_

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

namespace anybit::model {

class OnnxBuilder {
 public:
  explicit OnnxBuilder(int opset = 13);

  void Input(const std::string& name, const std::vector<int64_t>& shape, int type = onnx::TensorProto::FLOAT);
  void Output(const std::string& name);
  // An initializer.
  onnx::TensorProto& Floats(const std::string& name, const std::vector<int64_t>& shape,
                            const std::vector<float>& values);
  onnx::TensorProto& Integers(const std::string& name, const std::vector<int64_t>& values);
  // A node that is named like its output.
  onnx::NodeProto& Node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output);

  onnx::ModelProto& proto() { return model_; }
  std::string Text() const { return model_.SerializeAsString(); }

 private:
  onnx::ModelProto model_;
};

onnx::NodeProto& SetIntegers(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values);
onnx::NodeProto& SetInteger(onnx::NodeProto& node, const std::string& name, int64_t value);
onnx::NodeProto& SetFloat(onnx::NodeProto& node, const std::string& name, float value);
onnx::NodeProto& SetText(onnx::NodeProto& node, const std::string& name, const std::string& value);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_TESTING_ONNX_BUILDER_H_
