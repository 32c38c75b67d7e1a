#include "model/train/search/route_estimator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/data/read_rows.h"
#include "model/format/code_range.h"
#include "model/format/requantize.h"
#include "model/format/zero_points.h"
#include "model/train/search/conv_sums.h"

namespace anybit::model::train {
namespace {

// Sums are whole numbers: a smaller deviation is rounding.
constexpr double kSmallestDeviation = 1e-6;

std::vector<int8_t> ChildCodes(const LayerStore& store, const CodeRange& range) {
  std::vector<int8_t> codes;
  codes.reserve(store.q8.size());
  for (const int8_t q8 : store.q8) codes.push_back(static_cast<int8_t>(ChildCode(q8, range)));
  return codes;
}

double MeanSquare(const std::vector<uint8_t>& codes, int64_t zero) {
  int64_t total = 0;
  for (const uint8_t code : codes) total += (code - zero) * (code - zero);
  return static_cast<double>(total) / static_cast<double>(codes.size());
}

// Whether the estimator knows a node: convolutions with ReLU or without, pools and a linear layer, padded with code 0.
bool IsKnown(const NetworkPlan& plan, const PlannedNode& node) {
  if (node.kind == NodeKind::kGate || node.of_sums || !node.activation.is_none()) return false;
  if (node.padding == 0) return true;
  return node.input == kNetworkInput ? plan.padding_code.empty() : !plan.nodes[node.input].has_zero;
}

absl::Status CheckNodes(const NetworkPlan& plan) {
  for (const PlannedNode& node : plan.nodes) {
    if (IsKnown(plan, node)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("node '", node.name,
                     "' cannot be searched; accepted: convolutions with ReLU or without, padded with code 0, "
                     "pools, a linear layer"));
  }
  return absl::OkStatus();
}

}  // namespace

RouteEstimator::RouteEstimator(const Artifact& artifact, const Ladder& ladder, std::span<const uint8_t> images,
                               const KernelTable& kernels, int threads)
    : artifact_(artifact),
      ladder_(ladder),
      kernels_(kernels),
      threads_(threads),
      plan_(*PlanNetwork(artifact.spec)),
      tree_(TreeOf(plan_)),
      images_(images.begin(), images.end()),
      rows_(static_cast<int64_t>(images.size()) / plan_.input_elements()) {
  for (int rung = 0; rung < ladder_.size(); ++rung) {
    uniform_.push_back(Run(UniformRoute(tree_, rung), {}));
  }
  last_ = uniform_.front();
}

absl::StatusOr<std::unique_ptr<RouteEstimator>> RouteEstimator::Create(const Artifact& artifact, const Ladder& ladder,
                                                                       std::span<const uint8_t> images,
                                                                       const KernelTable& kernels, int threads) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  if (absl::Status status = CheckNodes(*PlanNetwork(artifact.spec)); !status.ok()) return status;
  const int64_t row = PlanNetwork(artifact.spec)->input_elements();
  if (images.empty() || static_cast<int64_t>(images.size()) % row != 0) {
    return absl::InvalidArgumentError(absl::StrCat(images.size(), " codes are not a whole number of images of ", row));
  }
  return std::unique_ptr<RouteEstimator>(new RouteEstimator(artifact, ladder, images, kernels, threads));
}

absl::StatusOr<ArtifactPoint> RouteEstimator::Estimate(const Route& route, const std::string& name) {
  if (absl::Status status = CheckRoute(tree_, ladder_.size(), route); !status.ok()) return status;
  std::vector<const Values*> known = {&last_};
  for (const Values& values : uniform_) known.push_back(&values);
  last_ = Run(route, known);
  ArtifactPoint point = ComposeRoute(artifact_, ladder_, route, name);
  point.layers = last_.point.layers;
  return point;
}

std::span<const uint8_t> RouteEstimator::last_codes() const {
  return CodesOf(last_, plan_.SourceOf(plan_.nodes.back()));
}

RouteEstimator::Values RouteEstimator::Run(const Route& route, std::span<const Values* const> known) {
  const size_t nodes = plan_.nodes.size();
  Values values{.route = route};
  values.codes.resize(nodes);
  values.moments.resize(plan_.layers.size());
  // same[k][i]: node i and all that it reads, directly or not, are as in known[k].
  std::vector<std::vector<bool>> same(known.size(), std::vector<bool>(nodes));
  for (size_t i = 0; i < nodes; ++i) {
    const PlannedNode& node = plan_.nodes[i];
    const Values* equal = nullptr;
    for (size_t k = 0; k < known.size(); ++k) {
      const auto reads_same = [&](int read) { return read == kNetworkInput || same[k][read]; };
      same[k][i] = (node.layer < 0 || known[k]->route[node.layer] == route[node.layer]) && reads_same(node.input) &&
                   (!node.has_residual || reads_same(node.residual));
      if (same[k][i]) equal = known[k];
    }
    if (equal != nullptr) {
      values.codes[i] = equal->codes[i];
      if (node.layer >= 0) {
        values.point.layers.push_back(equal->point.layers[node.layer]);
        values.moments[node.layer] = equal->moments[node.layer];
      }
      continue;
    }
    switch (node.kind) {
      case NodeKind::kConv: RunConv(node, static_cast<int>(i), known.empty(), values); break;
      case NodeKind::kMaxPool: {
        const Codes& in = CodesOf(values, node.input);
        auto out = std::make_shared<Codes>(rows_ * node.frames * node.out.elements());
        for (int64_t image = 0; image < rows_ * node.frames; ++image) {
          MaxPoolCodes(node, std::span(in).subspan(image * node.in.elements(), node.in.elements()),
                       std::span(*out).subspan(image * node.out.elements(), node.out.elements()));
        }
        values.codes[i] = std::move(out);
        break;
      }
      case NodeKind::kGlobalPool: break;  // the last layer's scales need no codes
      case NodeKind::kGate: break;        // refused by Create
      case NodeKind::kLinear:
        values.point.layers.push_back(artifact_.points[ladder_.points[route[node.layer]]].layers[node.layer]);
        break;
    }
  }
  return values;
}

void RouteEstimator::RunConv(const PlannedNode& node, int index, bool uniform, Values& values) {
  const LayerEpilogue& own = artifact_.points[ladder_.points[values.route[node.layer]]].layers[node.layer];
  const std::vector<int8_t> weights = ChildCodes(artifact_.store[node.layer], own.weights);
  const Codes& in = CodesOf(values, node.input);
  const int64_t images = rows_ * node.frames, inputs = node.in.elements(), outputs = node.out.elements();
  const int64_t channels = node.out.channels;
  std::vector<int32_t> sums(images * outputs);
  // Of each image, so that the result does not depend on the threads.
  std::vector<double> totals(images * channels), squares(images * channels);
  (void)ForEachRow(images, threads_, [&](int64_t image) {
    const std::span<int32_t> of_image = std::span(sums).subspan(image * outputs, outputs);
    ConvSums(node, kernels_, std::span(in).subspan(image * inputs, inputs), weights, of_image);
    for (int64_t i = 0; i < outputs; ++i) {
      const double sum = of_image[i];
      totals[image * channels + i % channels] += sum;
      squares[image * channels + i % channels] += sum * sum;
    }
    return absl::OkStatus();
  });
  Moments& moments = values.moments[node.layer];
  const double count = static_cast<double>(images * outputs / channels);
  for (int64_t c = 0; c < channels; ++c) {
    double total = 0, square = 0;
    for (int64_t image = 0; image < images; ++image) {
      total += totals[image * channels + c];
      square += squares[image * channels + c];
    }
    moments.mean.push_back(total / count);
    moments.deviation.push_back(std::sqrt(std::max(0.0, square / count - total / count * (total / count))));
  }
  const LayerEpilogue layer = uniform ? own : Fitted(node, moments, values);
  const Codes* residual = node.has_residual ? &CodesOf(values, node.residual) : nullptr;
  auto codes = std::make_shared<Codes>(images * outputs);
  (void)ForEachRow(images, threads_, [&](int64_t image) {
    for (int64_t i = image * outputs; i < (image + 1) * outputs; ++i) {
      const int64_t c = i % channels;
      (*codes)[i] = residual == nullptr ? Requantize(sums[i], layer.scale[c], layer.bias[c], layer.highest_code)
                                        : RequantizeWithResidual(sums[i], layer.scale[c], layer.bias[c], (*residual)[i],
                                                                 layer.residual_scale, layer.highest_code);
    }
    return absl::OkStatus();
  });
  values.codes[index] = std::move(codes);
  values.point.layers.push_back(layer);
}

double RouteEstimator::ResidualRatio(const PlannedNode& node, int rung, const Values& values) const {
  const Codes &own = CodesOf(uniform_[rung], node.residual), &codes = CodesOf(values, node.residual);
  if (&own == &codes) return 1;
  const double power = MeanSquare(codes, ZeroCodeOf(plan_, values.point, node.residual));
  return power == 0 ? 1 : std::sqrt(MeanSquare(own, ZeroCodeOf(plan_, uniform_[rung].point, node.residual)) / power);
}

LayerEpilogue RouteEstimator::Fitted(const PlannedNode& node, const Moments& moments, const Values& values) const {
  const int rung = values.route[node.layer];
  LayerEpilogue layer = artifact_.points[ladder_.points[rung]].layers[node.layer];
  const Moments& wanted = uniform_[rung].moments[node.layer];
  double shift = 0;  // of the bias, for the zero points of the residual's codes
  if (node.has_residual) {
    const double own_scale = layer.residual_scale;
    layer.residual_scale = static_cast<float>(own_scale * ResidualRatio(node, rung, values));
    const auto own_zero = static_cast<double>(ZeroCodeOf(plan_, uniform_[rung].point, node.residual));
    const auto zero = static_cast<double>(ZeroCodeOf(plan_, values.point, node.residual));
    shift = own_scale * own_zero - double{layer.residual_scale} * zero;
  }
  for (int64_t c = 0; c < node.out.channels; ++c) {
    const double own_scale = layer.scale[c];
    const double mean = own_scale * wanted.mean[c] + layer.bias[c];
    const double ratio = moments.deviation[c] < kSmallestDeviation ? 0 : wanted.deviation[c] / moments.deviation[c];
    layer.scale[c] = ExactScale(own_scale * ratio);
    layer.bias[c] = static_cast<float>(mean + shift - double{layer.scale[c]} * moments.mean[c]);
  }
  return layer;
}

}  // namespace anybit::model::train
