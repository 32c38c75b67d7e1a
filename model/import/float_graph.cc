#include "model/import/float_graph.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace anybit::model {

int64_t GraphNode::Integer(const std::string& attribute, int64_t otherwise) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? otherwise : found->second.integer;
}

float GraphNode::Number(const std::string& attribute, float otherwise) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? otherwise : found->second.number;
}

std::string GraphNode::Text(const std::string& attribute, const std::string& otherwise) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? otherwise : found->second.text;
}

std::vector<int64_t> GraphNode::Integers(const std::string& attribute) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? std::vector<int64_t>{} : found->second.integers;
}

std::string Describe(const GraphNode& node) {
  return absl::StrCat("node '", absl::Utf8SafeCEscape(node.name), "' (", absl::Utf8SafeCEscape(node.op), ")");
}

}  // namespace anybit::model
