// A float network of another tool as plain data: what a reader found in a file, before it is understood.
#ifndef ANYBIT_MODEL_IMPORT_FLOAT_GRAPH_H_
#define ANYBIT_MODEL_IMPORT_FLOAT_GRAPH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace anybit::model {

// A tensor of known values, row-major. Floats of all sizes are kept as float, whole numbers and bool as int64.
struct Constant {
  std::vector<int64_t> shape;  // empty: a scalar
  bool integer = false;
  std::vector<float> floats;      // where not `integer`
  std::vector<int64_t> integers;  // where `integer`

  int64_t count() const { return static_cast<int64_t>(integer ? integers.size() : floats.size()); }
  float AsFloat(int64_t i) const { return integer ? static_cast<float>(integers[i]) : floats[i]; }
};

struct Attribute {
  int64_t integer = 0;
  float number = 0;
  std::string text;
  std::vector<int64_t> integers;
  std::vector<float> numbers;
  std::shared_ptr<const Constant> tensor;
};

struct GraphNode {
  std::string name;                 // never empty
  std::string op;                   // of ONNX's own domain; of others "domain.op"
  std::vector<std::string> inputs;  // names of values; empty: an optional input that is left out
  std::vector<std::string> outputs;
  std::map<std::string, Attribute> attributes;

  bool Has(const std::string& attribute) const { return attributes.contains(attribute); }
  int64_t Integer(const std::string& attribute, int64_t otherwise) const;
  float Number(const std::string& attribute, float otherwise) const;
  std::string Text(const std::string& attribute, const std::string& otherwise) const;
  std::vector<int64_t> Integers(const std::string& attribute) const;
  bool HasInput(size_t index) const { return index < inputs.size() && !inputs[index].empty(); }
};

struct GraphInput {
  std::string name;
  std::vector<int64_t> shape;  // the batch first; -1: not fixed
  bool codes = false;          // u8, else floats
};

struct FloatGraph {
  std::string name;
  int opset = 0;
  GraphInput input;
  std::vector<std::string> outputs;
  std::map<std::string, std::shared_ptr<const Constant>> constants;  // by value
  std::vector<GraphNode> nodes;  // each after those that it reads; only those that an output needs
};

// "node 'NAME' (OP)", as every message about a node begins.
std::string Describe(const GraphNode& node);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_FLOAT_GRAPH_H_
