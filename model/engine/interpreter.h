// Runs a planned network node by node on the kernels of one instruction set.
//
// The interpreter is immutable: panels say what each layer runs with, and memory, one for each thread, holds the
// activations. Integers equal the contract of model/format/requantize.h; a row's result does not depend on the rows
// beside it.
#ifndef ANYBIT_MODEL_ENGINE_INTERPRETER_H_
#define ANYBIT_MODEL_ENGINE_INTERPRETER_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/engine/activation_plan.h"
#include "model/engine/layer_trace.h"
#include "model/engine/node_groups.h"
#include "model/engine/point_panels.h"
#include "model/engine/row_bands.h"
#include "model/format/network_spec.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// The memory of one thread: sized once, never grown.
struct InterpreterMemory {
  AlignedBuffer input, float_input;
  std::vector<AlignedBuffer> codes, floats;                         // by buffer of the plan
  std::vector<std::vector<AlignedBuffer>> code_bands, float_bands;  // by group in bands and node
  AlignedBuffer workspace;                                          // of kernels
  std::vector<int32_t> pool_sums;                                   // one row's input of the linear node
  std::vector<int16_t> pool_words;   // of some rows, in digits of 15 bits: [rows][kSumDigits][depth]
  std::vector<float> float_sums;     // of some rows at full precision: [rows][pool_sums.size()]
  std::vector<double> gate_factors;  // of one row's gate
};

// Rows to run at one point.
struct Rows {
  const PointPanels* panels = nullptr;
  const uint8_t* input = nullptr;
  float* output = nullptr;
  int64_t count = 0;
};

class Interpreter {
 public:
  // Called after each node has run.
  using AfterNode = std::function<void(const PlannedNode& node, int index)>;

  // The arguments must outlive the interpreter. `full_precision`: whether memory has to serve a full-precision point.
  // `near_bytes` as in GroupNodes.
  Interpreter(const NetworkPlan& plan, const ActivationPlan& activations, const KernelTable& kernels,
              bool full_precision, int64_t near_bytes);

  // Bytes of activations that one row takes.
  int64_t bytes_per_row() const;

  InterpreterMemory MakeMemory(int rows) const;

  // At most as many rows as `memory` was made for; nodes of a group (node_groups.h) take a few of them at a time.
  // Allocates nothing. Any thread, each with its own memory.
  void Run(const Rows& rows, InterpreterMemory& memory) const;

  // The same, and calls `after_node` after a node has run on the rows of its group: several times a node, where the
  // group takes several parts.
  void RunParts(const Rows& rows, InterpreterMemory& memory, const AfterNode& after_node) const;

  // The same results. Every node takes all rows at once.
  void RunNodeByNode(const Rows& rows, InterpreterMemory& memory, const AfterNode& after_node) const;

  // Appends the values that `node` has just computed at a quantized point.
  void Record(const PlannedNode& node, int index, int64_t rows, const InterpreterMemory& memory,
              LayerTrace& trace) const;

 private:
  // Some of the rows of a run.
  struct Part {
    int64_t first, count;
  };

  void RunGroups(const NodeGroups& groups, const Rows& rows, InterpreterMemory& memory,
                 const AfterNode& after_node) const;
  // Whether the chosen kernels can.
  bool CanRunBands(const RowBands& bands, const Rows& rows) const;
  template <class T>
  void RunBands(const RowBands& bands, const Rows& rows, int64_t row, std::vector<AlignedBuffer>& buffers,
                InterpreterMemory& memory, const AfterNode& after_node) const;
  // `border`: the pixel around each image; empty: it is there.
  template <class T>
  void CopyInput(const Rows& rows, std::span<const T> border, T* to) const;
  // The operands of a conv or max pool node.
  template <class T>
  ConvImages ImagesOf(const PlannedNode& node, int index, const Part& part, InterpreterMemory& memory) const;
  template <class T>
  void RunMaxPool(const PlannedNode& node, int index, const ConvImages& images) const;
  template <class T>
  void RunNode(const PlannedNode& node, int index, const Rows& rows, const Part& part, InterpreterMemory& memory) const;
  // A convolution that reads a global pool: its output is one place.
  template <class T>
  void RunConvOfSums(const PlannedNode& node, int index, const Rows& rows, const Part& part,
                     InterpreterMemory& memory) const;
  template <class T>
  void RunGate(const PlannedNode& node, int index, const Rows& rows, const Part& part, InterpreterMemory& memory) const;
  // What follows the values of a node: its activation, and the border where its zero code may be above 0.
  template <class T>
  void Finish(const PlannedNode& node, int index, const Rows& rows, const Part& part, InterpreterMemory& memory) const;
  // The sum of products of an output of a layer with codes, from the digits of its inputs.
  int64_t SumOf(const LayerPanels& layer, int64_t depth, int64_t output, const int16_t* digits, int count) const;
  void RunLinear(const PlannedNode& node, const Rows& rows, InterpreterMemory& memory) const;
  // The same for at most kLinearRows of them, which share one pass over the weights; and at full precision.
  void RunLinearRows(const PlannedNode& node, const Rows& rows, int64_t first, int64_t count,
                     InterpreterMemory& memory) const;
  void RunLinearFloats(const PlannedNode& node, const Rows& rows, int64_t first, int64_t count,
                       InterpreterMemory& memory) const;

  // Sets `sums` to the linear node's input from the first image of a row: a global pool's sums over the row's frames,
  // or the values themselves.
  void GatherSums(const PlannedNode* pool, const FeatureMap& map, const uint8_t* image,
                  std::vector<int32_t>& sums) const;
  void GatherSums(const PlannedNode* pool, const FeatureMap& map, const float* image, std::span<float> sums) const;

  // The values that node `index` made, or the network's input.
  template <class T>
  const T* Values(const InterpreterMemory& memory, int index) const {
    if constexpr (sizeof(T) == 1) {
      return index == kNetworkInput ? memory.input.as<T>() : memory.codes[activations_.buffers[index]].as<T>();
    } else {
      return index == kNetworkInput ? memory.float_input.as<T>() : memory.floats[activations_.buffers[index]].as<T>();
    }
  }
  template <class T>
  static T* Buffer(InterpreterMemory& memory, int buffer) {
    if constexpr (sizeof(T) == 1) {
      return memory.codes[buffer].as<T>();
    } else {
      return memory.floats[buffer].as<T>();
    }
  }

  const NetworkPlan& plan_;
  const ActivationPlan& activations_;
  const KernelTable& kernels_;
  const bool full_precision_;
  const NodeGroups code_groups_, float_groups_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_INTERPRETER_H_
