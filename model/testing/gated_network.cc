#include "model/testing/gated_network.h"

#include <initializer_list>

namespace anybit::model {
namespace {

using A = proto::Activation;

class Writer {
 public:
  proto::Node& Add(const char* name, std::initializer_list<const char*> inputs) {
    proto::Node& node = *spec.add_nodes();
    node.set_name(name);
    for (const char* input : inputs) node.add_inputs(input);
    return node;
  }

  proto::Conv& Conv(const char* name, std::initializer_list<const char*> inputs, int channels, int kernel, int stride,
                    A::Function function = A::NONE, float alpha = 0, float beta = 0) {
    proto::Conv& conv = *Add(name, inputs).mutable_conv();
    conv.set_out_channels(channels);
    conv.set_kernel(kernel);
    conv.set_stride(stride);
    conv.set_padding(kernel / 2);
    if (function == A::NONE) return conv;
    conv.mutable_activation()->set_function(function);
    conv.mutable_activation()->set_alpha(alpha);
    conv.mutable_activation()->set_beta(beta);
    return conv;
  }

  NetworkSpec spec;
};

}  // namespace

NetworkSpec GatedNetwork() {
  Writer network;
  NetworkSpec& spec = network.spec;
  spec.set_name("gated");
  spec.mutable_input()->set_name("image");
  for (int extent : {12, 10, 3}) spec.mutable_input()->add_shape(extent);
  for (float code : {123.675f, 116.28f, 103.53f}) spec.add_padding_code(code);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(5);
  network.Conv("edge", {"input"}, 3, 3, 1).set_groups(3);
  network.Conv("stem", {"input"}, 16, 3, 2, A::HARD_SWISH);  // 6x5x16
  network.Conv("both", {"edge", "stem"}, 16, 3, 2, A::MISH);
  network.Conv("depthwise", {"both"}, 16, 5, 1, A::LEAKY_RELU, 0.1f).set_groups(16);
  network.Add("mean", {"depthwise"}).mutable_global_pool();
  network.Conv("squeeze", {"mean"}, 7, 1, 1);
  network.Conv("excite", {"squeeze"}, 16, 1, 1, A::HARD_SIGMOID, 1.0f / 6, 0.5f);
  network.Add("gated", {"depthwise", "excite"}).mutable_gate();
  network.Conv("thin", {"gated"}, 21, 1, 1).set_without_relu(true);
  network.Conv("wide", {"thin"}, 40, 3, 1, A::GELU);
  network.Conv("deep", {"wide"}, 21, 3, 1, A::ELU, 1);
  network.Conv("added", {"deep", "thin"}, 21, 3, 1, A::SILU);
  network.Add("halved", {"added"}).mutable_max_pool()->set_size(2);
  network.spec.mutable_nodes(network.spec.nodes_size() - 1)->mutable_max_pool()->set_stride(2);  // 3x2x21
  network.Conv("factor.of", {"halved"}, 21, 3, 1, A::TANH);
  network.Add("mean.of", {"factor.of"}).mutable_global_pool();
  network.Conv("factor", {"mean.of"}, 21, 1, 1, A::SIGMOID);
  network.Add("again", {"factor.of", "factor"}).mutable_gate();
  network.Conv("clipped", {"again"}, 13, 3, 1, A::CLIP, 6);
  network.Conv("soft", {"clipped"}, 13, 1, 1, A::SOFTPLUS);
  network.Add("pool", {"soft"}).mutable_global_pool();
  network.Conv("hidden", {"pool"}, 37, 1, 1, A::GELU_TANH);
  network.Add("head", {"hidden"}).mutable_linear()->set_out_features(5);
  return spec;
}

}  // namespace anybit::model
