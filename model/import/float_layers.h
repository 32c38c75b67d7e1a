// A float network as the layers that a NetworkSpec can express, while it is being put together.
//
// Values are real numbers: a global pool gives means, and the network's input is in codes. to_artifact.h turns sums and
// scales into what an artifact has.
#ifndef ANYBIT_MODEL_IMPORT_FLOAT_LAYERS_H_
#define ANYBIT_MODEL_IMPORT_FLOAT_LAYERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/format/activation.h"
#include "model/format/network_spec.h"

namespace anybit::model {

inline constexpr int kNoLayer = -2;

struct FloatLayer {
  NodeKind kind{};
  std::string origin;           // "node 'NAME' (OP)", for messages
  std::string name;             // of the node in the file
  int input = kNetworkInput;    // index of a layer
  int residual = kNoLayer;      // kConv: the layer that is added; kGate: that of the factors
  bool input_is_shared = true;  // something else reads `input`, too
  FeatureShape in, out;
  int kernel = 1, stride = 1, padding = 0;  // kConv and kMaxPool
  bool depthwise = false, relu = false;     // kConv
  Activation activation;                    // kConv, in place of a ReLU
  // kConv and kLinear: sum * scale + bias [+ residual]. Weights are [out][depth] in the order of PlannedNode.
  std::vector<float> weights;
  std::vector<double> scale, bias;  // [out]
  // kConv of 1x1: output c was made as a copy of the input's channel choice[c]. Empty: it is no choice.
  std::vector<int64_t> choice;

  bool is_activated() const { return relu || !activation.is_none(); }
  // Whether nothing but the copies of `choice` is computed, which a ReLU may cut.
  bool is_choice() const;
  bool is_non_negative() const { return relu || activation.is_non_negative(); }
  bool has_weights() const { return kind == NodeKind::kConv || kind == NodeKind::kLinear; }
  int64_t depth() const;
  int64_t macs() const { return depth() * out.elements(); }
};

// What the file's network reads: bytes, or floats in one of two arrangements.
enum class InputForm : uint8_t { kCodes, kChannelsFirst, kChannelsLast };

struct FloatLayers {
  FeatureShape input;
  InputForm input_form = InputForm::kChannelsFirst;
  std::vector<FloatLayer> layers;
  // The code that stands for the float network's 0, with which it pads its input, by channel. Empty: 0.
  std::vector<float> border;
  std::vector<std::string> notes;  // about the network, for its user
  // Weights that must be 0 for the network to compute what it should: codes of one bit have no 0.
  std::vector<std::string> sparse;  // origins of such layers
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_FLOAT_LAYERS_H_
