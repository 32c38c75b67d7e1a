// The codes of every node of one run, for tests that demand equal integers of two implementations.
#ifndef ANYBIT_MODEL_ENGINE_LAYER_TRACE_H_
#define ANYBIT_MODEL_ENGINE_LAYER_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace anybit::model {

struct NodeTrace {
  std::string node;
  // [rows][height][width][channels] codes of the node's output; of a global pool the sums; of the linear node empty.
  std::vector<int32_t> codes;
};

using LayerTrace = std::vector<NodeTrace>;

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_LAYER_TRACE_H_
