// The state of turning a FloatGraph into FloatLayers, and the steps that operators share.
//
// A value of the graph is either a constant or a feature map: a layer's output, perhaps with a scale and a shift per
// channel that no layer has taken yet, in the arrangement of TensorAxes. Batch norm, constants that are added or
// multiplied, additions and ReLU go into the layer that computes the value as long as nothing else reads it.
#ifndef ANYBIT_MODEL_IMPORT_LOWERING_H_
#define ANYBIT_MODEL_IMPORT_LOWERING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/import/float_graph.h"
#include "model/import/float_layers.h"
#include "model/import/tensor_axes.h"

namespace anybit::model {

// y = x * scale + shift, per channel.
struct ChannelAffine {
  std::vector<double> scale, shift;  // both empty: y = x

  bool empty() const { return scale.empty(); }
  bool shifts() const;
  // Applies `next` behind this one.
  void Then(const ChannelAffine& next);
};

struct FeatureValue {
  int layer = kNetworkInput;
  TensorAxes axes;
  ChannelAffine affine;  // still to be applied to the layer's output
  bool shared = false;   // more than one node reads it, or what it was made of
  bool clipped = false;  // nothing is below 0, although `affine` shifts it
};

class Lowering {
 public:
  // `graph` must outlive it.
  explicit Lowering(const FloatGraph& graph);

  const FloatGraph& graph() const { return graph_; }
  FloatLayers& layers() { return layers_; }
  FloatLayer& layer(const FeatureValue& value) { return layers_.layers[value.layer]; }

  // The constant or the feature map of `name`, or null.
  const Constant* ConstantOf(const std::string& name) const;
  const FeatureValue* FeatureOf(const std::string& name) const;
  const Constant* ConstantInput(const GraphNode& node, size_t index) const;

  // The feature map that is input `index` of `node`, or why there is none.
  absl::StatusOr<FeatureValue> FeatureInput(const GraphNode& node, size_t index) const;

  // Names the network's input.
  void SetInput(FeatureValue value);
  // Names output `index` of `node`.
  void Set(const GraphNode& node, FeatureValue value, size_t index = 0);
  // InvalidArgument where all computed constants together have more than 2^27 elements.
  absl::Status Set(const GraphNode& node, Constant constant);

  // Refuses `node`: "node 'NAME' (OP): REASON".
  template <typename... Parts>
  static absl::Status Refuse(const GraphNode& node, const Parts&... reason) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(node), ": ", reason...));
  }

  // Appends a layer; `made` has everything but the fields about its node and its input. InvalidArgument beyond the
  // limits of a network.
  absl::StatusOr<FeatureValue> Append(const GraphNode& node, const FeatureValue& input, FloatLayer made,
                                      const TensorAxes& axes);

  // Appends a convolution or a linear layer, whose weights take over what is still to be applied to `input`.
  absl::StatusOr<FeatureValue> AppendWeighted(const GraphNode& node, FeatureValue input, FloatLayer made,
                                              const TensorAxes& axes);

  // A layer that computes `value` with what is still to be applied: a convolution of one weight per channel.
  absl::StatusOr<FeatureValue> Materialized(const GraphNode& node, const FeatureValue& value);

  // Elements of a map whose channels may be numbered.
  static constexpr int64_t kMaxNumbered = int64_t{1} << 24;

  // The channels `channels` of `value`, whose second dimension they are.
  absl::StatusOr<FeatureValue> Chosen(const GraphNode& node, const FeatureValue& value,
                                      const std::vector<int64_t>& channels);

  // Whether the layer that computes `value` can take one more operation behind it.
  bool IsOpen(const FeatureValue& value) const;

  // Whether nothing of the layer's output, or of the value, is known to be below 0.
  bool IsNonNegative(int layer) const;
  bool IsNonNegative(const FeatureValue& value) const;

  // Makes a convolution of a linear layer, so that a ReLU, an addition or another layer may follow. InvalidArgument
  // where its input is no square map of at most 7 x 7.
  static absl::Status AsConvolution(FloatLayer& layer);

 private:
  void Name(const std::string& name, FeatureValue value);
  // Lets `made` read what the choices of channels behind `input` read.
  void ReadThroughChoices(FeatureValue& input, FloatLayer& made) const;

  const FloatGraph& graph_;
  FloatLayers layers_;
  std::map<std::string, int> readers_;  // of each value
  std::map<std::string, std::shared_ptr<const Constant>> constants_;
  std::map<std::string, FeatureValue> features_;
  int64_t weights_ = 0;
  int64_t computed_ = 0;  // elements of constants that nodes gave
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_LOWERING_H_
