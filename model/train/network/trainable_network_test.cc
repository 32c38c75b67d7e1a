// Training computes the served values under every rule, and gradients reach the right parameters only.
#include "model/train/network/trainable_network.h"

#include <torch/torch.h>

#include <cmath>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/engine/torch_network.h"
#include "model/format/code_range.h"
#include "model/train/network/fake_quant.h"
#include "model/train/network/layer_weights.h"
#include "model/train/network/losses.h"
#include "model/train/recipe/block_swap.h"
#include "model/train/testing/stripes.h"

namespace anybit::model::train {
namespace {

class OneThread : public testing::Environment {
  void SetUp() override { torch::set_num_threads(1); }
};
const auto* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

torch::Tensor Images(const MemoryExamples& set) {
  const std::span<const uint8_t> rows = set.rows(0, set.count());
  return torch::from_blob(const_cast<uint8_t*>(rows.data()), {set.count(), set.shape().height, set.shape().width, 1},
                          torch::kUInt8)
      .clone();
}

constexpr char kPoints[] = "fp32,w8a8,w4a4,w3a2f,w2a2,w1a1";

TrainableNetwork MakeNetwork(const char* recipe, const torch::Tensor& images) {
  TrainableNetwork network(StripesNetwork(), *ParsePoints(kPoints), *ParseRecipe(recipe), 5);
  torch::NoGradGuard no_gradient;
  torch::manual_seed(1);
  network->ResetScales();
  for (int p = 0; p < 6; ++p) {
    // Values unlike the initial ones, so that a missing factor shows.
    for (torch::Tensor& t : network->norms()) t.mul_(0.9).add_(torch::rand_like(t) * 0.1);
    if (p > 0) network->CalibrateSteps(p, images);
  }
  return network;
}

// Running variances are unbiased estimates; the batch was normalised by its own variance.
void TakeVariancesOfTheBatch(TrainableNetwork& network, int64_t rows) {
  for (const auto& item : network->named_buffers()) {
    for (const PlannedNode& node : network->plan().nodes) {
      const std::string name = absl::StrCat("_", absl::StrReplaceAll(node.name, {{".", "_"}}), "_variance");
      const double values = static_cast<double>(rows * node.out.height * node.out.width);
      if (item.key().ends_with(name)) item.value().mul_((values - 1) / values);
    }
  }
}

class WithEveryRule : public testing::TestWithParam<const char*> {};

// Folding into scales and biases changes only roundings: Forward with the statistics of one batch and the exported
// network on that batch compute the same.
TEST_P(WithEveryRule, ExportsItsComputation) {
  const MemoryExamples set = Stripes(64, 4);
  const torch::Tensor images = Images(set);
  TrainableNetwork network = MakeNetwork(GetParam(), images);
  torch::NoGradGuard no_gradient;
  std::vector<torch::Tensor> forward;
  for (int p = 0; p < 6; ++p) forward.push_back(network->Forward(p, images, /*momentum=*/1.0));
  TakeVariancesOfTheBatch(network, 64);
  const Artifact artifact = network->Export();
  ASSERT_TRUE(ValidateArtifact(artifact).ok()) << ValidateArtifact(artifact);
  const auto simulation = *TorchNetwork::Create(artifact);
  for (int p = 0; p < 6; ++p) {
    std::vector<float> logits(64 * 4);
    ASSERT_TRUE(simulation->Run(ToPointId(p), set.rows(0, 64), logits, *simulation->MakeScratch(64)).ok());
    const torch::Tensor served = torch::from_blob(logits.data(), {64, 4});
    // A value near a rounding boundary may be rounded up or down; the mean still shows a wrong factor.
    const double spread = (forward[p] - forward[p].mean()).abs().mean().item<double>();
    const double error = (served - forward[p]).abs().mean().item<double>();
    EXPECT_LT(error, 0.02 * spread) << network->points()[p].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, WithEveryRule,
                         testing::Values("coquant", "coquant,scale_clip=2", "coquant,weights=largest",
                                         "coquant,weights=learned", "coquant,weights=dorefa,group=layer",
                                         "coquant,group=3", "coquant,group=layer", "coquant,weights=learned,group=16",
                                         "coquant,center=1", "coquant,activations=pact", "coquant,activations=unit",
                                         "adabits", "any-precision", "double-rounding"),
                         [](const auto& info) {
                           std::string name;
                           for (char c : std::string(info.param)) name += std::isalnum(c) ? c : '_';
                           return name;
                         });

// The statistics of all layers are consistent, like those of one batch and unlike averages over three.
TEST(TrainableNetwork, EstimatesBatchNormFromBatchesAsFromOneOfAllTheirImages) {
  const torch::Tensor images = Images(Stripes(60, 4));
  TrainableNetwork estimated = MakeNetwork("coquant", images), whole = MakeNetwork("coquant", images);
  const torch::Tensor batches[] = {images.slice(0, 0, 20), images.slice(0, 20, 50), images.slice(0, 50, 60)};
  torch::NoGradGuard no_gradient;
  for (int p = 0; p < 6; ++p) {
    estimated->EstimateNorms(p, batches);
    whole->Forward(p, images, /*momentum=*/1.0);
  }
  TakeVariancesOfTheBatch(whole, 60);
  for (const auto& item : estimated->named_buffers()) {
    const torch::Tensor expected = whole->named_buffers()[item.key()];
    EXPECT_TRUE(torch::allclose(item.value(), expected, 1e-4, 1e-5))
        << item.key() << ": " << (item.value() - expected).abs().max().item<float>();
  }
}

TEST(TrainableNetwork, WithAllNodesAtOnePointIsThatPoint) {
  const torch::Tensor images = Images(Stripes(16, 4));
  TrainableNetwork network = MakeNetwork("coquant", images);
  torch::NoGradGuard no_gradient;
  const Route route(network->plan().nodes.size(), 2);
  EXPECT_TRUE(torch::equal(network->Forward(4, images, 0.1, route), network->Forward(2, images)));
}

// A swapped block in a student's pass runs at the teacher's point. It changes the logits. Of its parameters only the
// shared weights get gradients, and its running statistics do not change.
TEST(TrainableNetwork, LeavesATeachersBatchNormAndStepsAloneInAStudentsPass) {
  const torch::Tensor images = Images(Stripes(16, 4));
  TrainableNetwork network = MakeNetwork("coquant", images);
  const int student = 5, teacher = 2;
  const std::vector<Block> blocks = SwappableBlocks(network->plan());
  ASSERT_EQ(blocks.size(), 2u);
  Route route(network->plan().nodes.size(), student);
  for (int node : blocks[1]) route[node] = teacher;

  std::map<std::string, torch::Tensor> before;
  for (const auto& item : network->named_buffers()) before[item.key()] = item.value().clone();
  network->zero_grad();
  const torch::Tensor logits = network->Forward(student, images, 0.1, route);
  logits.square().sum().backward();
  network->PullBackGradients();

  const auto moved = [](const torch::Tensor& t) {
    return t.grad().defined() && t.grad().abs().max().item<float>() > 0;
  };
  for (const auto& item : network->named_parameters()) {
    const std::string& name = item.key();
    const bool in_block = name.find("stage2_block1") != std::string::npos;
    const bool of_student = name.starts_with("w1a1_");
    const bool must_stay = name.starts_with("w4a4_") || (of_student && in_block);
    const bool must_move = name.ends_with("_weight") || (of_student && !in_block && name.ends_with("beta"));
    EXPECT_FALSE(must_stay && moved(item.value())) << name;
    EXPECT_FALSE(must_move && !moved(item.value())) << name;
  }
  for (const auto& item : network->named_buffers()) {
    const bool changed = !torch::equal(item.value(), before[item.key()]);
    const bool own = item.key().starts_with("w1a1_") && item.key().find("stage2_block1") == std::string::npos;
    EXPECT_EQ(changed, own) << item.key();
  }
  EXPECT_FALSE(torch::equal(logits, network->Forward(student, images)));
}

TEST(TrainableNetwork, AddsTheGradientsOfPassesOnTheSharedWeights) {
  const torch::Tensor images = Images(Stripes(16, 4));
  TrainableNetwork network = MakeNetwork("coquant", images);
  const auto gradient = [&](std::vector<int> points) {
    network->zero_grad();
    for (int p : points) network->Forward(p, images).square().mean().backward();
    network->PullBackGradients();
    return network->weights()[1].grad().clone();
  };
  const torch::Tensor both = gradient({0, 4}), full = gradient({0}), low = gradient({4});
  EXPECT_TRUE(torch::allclose(both, full + low, 1e-4, 1e-6));
}

TEST(LayerWeights, AreStaleOnlyAfterRefresh) {
  const torch::Tensor weights = torch::randn({4, 2, 3, 3}).set_requires_grad(true);
  LayerWeights layer(weights, {}, {.rule = WeightRule::kRms, .reach = 2.5});
  const torch::Tensor first = layer.Child({});
  EXPECT_TRUE(layer.Child({}).is_same(first));
  {
    torch::NoGradGuard no_gradient;
    weights.mul_(2);
  }
  layer.Refresh();
  EXPECT_TRUE(torch::allclose(layer.Child({}).detach(), 2 * first.detach()));
}

TEST(LayerWeights, ShareAScaleWithinAGroupOfFilters) {
  torch::manual_seed(1);
  const torch::Tensor weights = torch::randn({8, 18});
  const auto scale = [&](WeightRule rule, int group) {
    return LayerWeights(weights, {}, {.rule = rule, .reach = 2, .group = group}).Scale();
  };
  const auto expected = [&](auto measure, std::vector<std::pair<int, int>> groups) {
    std::vector<torch::Tensor> scales;
    for (auto [first, last] : groups)
      scales.push_back(measure(weights.slice(0, first, last)).expand({last - first}) / 127);
    return torch::cat(scales);
  };
  const auto mean = [](const torch::Tensor& w) { return 2 * w.abs().mean(); };
  const auto rms = [](const torch::Tensor& w) { return 2 * w.square().mean().sqrt(); };
  const auto largest = [](const torch::Tensor& w) { return w.abs().max(); };
  EXPECT_TRUE(torch::allclose(scale(WeightRule::kScaleClip, 3), expected(mean, {{0, 3}, {3, 6}, {6, 8}})));
  EXPECT_TRUE(torch::allclose(scale(WeightRule::kRms, 4), expected(rms, {{0, 4}, {4, 8}})));
  EXPECT_TRUE(torch::allclose(scale(WeightRule::kLargest, 0), expected(largest, {{0, 8}})));
  EXPECT_TRUE(torch::allclose(scale(WeightRule::kLargest, 100), expected(largest, {{0, 8}})));
  EXPECT_EQ(GroupCount(8, 3), 3);
  EXPECT_EQ(GroupCount(8, 0), 1);
}

// Store codes 127, 51, 13, -127 (clipped from -190.5) at scale 1/127.
TEST(LayerWeights, PassGradientsThroughTheRoundingByTheRecipe) {
  const torch::Tensor weights = torch::tensor({{1.0f, 0.4f, 0.1f, -1.5f}}).set_requires_grad(true);
  const torch::Tensor upstream = torch::tensor({{1.0f, 10.0f, 100.0f, 1000.0f}});
  const auto gradient = [&](WeightQuantization quantization, const CodeRange& range) {
    quantization.rule = WeightRule::kLearned;
    const torch::Tensor learned = torch::ones({1}).set_requires_grad(true);
    LayerWeights layer(weights, learned, quantization);
    {
      torch::NoGradGuard no_gradient;
      learned.fill_(1);
    }
    layer.Refresh();
    weights.mutable_grad().reset();
    (layer.Child(range) * upstream).sum().backward();
    layer.PullBack();
    return std::pair(weights.grad().clone(), learned.grad());
  };
  const CodeRange two_bits = StandardRange(*BitWidth::FromBits(2)), sign = StandardRange(*BitWidth::FromBits(1));
  EXPECT_TRUE(torch::equal(gradient({}, two_bits).first, upstream));
  // Steps of 64 codes and limits -2..1: weights in steps are 1.98, .79, .2, -2.98.
  const auto [clipped, scale] = gradient({.clip_gradient = true}, two_bits);
  EXPECT_TRUE(torch::equal(clipped, torch::tensor({{0.0f, 10.0f, 100.0f, 0.0f}})));
  const double inner = 10 * (1 - 0.4 * 127 / 64) + 100 * (0 - 0.1 * 127 / 64);
  EXPECT_NEAR(scale.item<float>(), 127 * 64 * (1 * 1 + inner + 1000 * -2) / std::sqrt(4 * 127.0), 0.5);
  // The mean magnitude is .75.
  EXPECT_TRUE(torch::equal(gradient({.sign_window = 1.4}, sign).first, torch::tensor({{1.0f, 10.0f, 100.0f, 0.0f}})));
  EXPECT_TRUE(torch::equal(gradient({}, sign).first, upstream));
}

TEST(LayerWeights, AreMovedToTheReachUnderScaleClipOnly) {
  // Mean magnitudes 2 and 1, so that two of them are 4 and 2.
  const torch::Tensor before = torch::tensor({{5.0f, -1.0f, 1.0f, -1.0f}, {0.0f, 0.0f, -4.0f, 0.0f}});
  for (const WeightRule rule : {WeightRule::kScaleClip, WeightRule::kRms}) {
    const torch::Tensor weights = before.clone();
    LayerWeights layer(weights, {}, {.rule = rule, .reach = 2});
    layer.Clip();
    const torch::Tensor clipped = torch::tensor({{4.0f, -1.0f, 1.0f, -1.0f}, {0.0f, 0.0f, -2.0f, 0.0f}});
    EXPECT_TRUE(torch::allclose(weights, rule == WeightRule::kScaleClip ? clipped : before));
  }
}

TEST(LayerWeights, OfDoReFaHaveTheGradientOfTheirSquashing) {
  torch::manual_seed(1);
  const torch::Tensor weights = torch::randn({2, 50}).set_requires_grad(true);
  LayerWeights layer(weights, {}, {.rule = WeightRule::kDoReFa, .group = 0});
  const torch::Tensor upstream = torch::randn({2, 50});
  const torch::Tensor child = layer.Child({});
  const torch::Tensor largest = weights.detach().tanh().abs().max();
  EXPECT_LT((child.detach() - weights.detach().tanh() / largest).abs().max().item<float>(), 0.5 / 127 + 1e-6);
  EXPECT_FLOAT_EQ(child.detach().abs().max().item<float>(), 1.0f);
  (child * upstream).sum().backward();
  layer.PullBack();
  const torch::Tensor expected = torch::autograd::grad({(weights.tanh() / largest * upstream).sum()}, {weights})[0];
  EXPECT_TRUE(torch::allclose(weights.grad(), expected, 1e-4, 1e-6));
}

TEST(LayerWeights, AreCentredAtEveryPrecisionAndSoAreTheirGradients) {
  torch::manual_seed(1);
  const torch::Tensor weights = (torch::randn({3, 20}) + 5).set_requires_grad(true);
  LayerWeights layer(weights, {}, {.rule = WeightRule::kRms, .reach = 2.5, .center = true});
  EXPECT_LT(layer.Full().detach().mean(1).abs().max().item<float>(), 1e-5);
  EXPECT_LT(layer.Scale().max().item<float>(), 2.5 * 2 / 127);  // 2.5 deviations; the mean is removed
  (layer.Child({}) * torch::rand({3, 20})).sum().backward();
  layer.PullBack();
  EXPECT_LT(weights.grad().sum(1).abs().max().item<float>(), 1e-4);
}

TEST(ChildCodes, AreTheServingFormula) {
  const torch::Tensor q8 = torch::arange(-127, 128).to(torch::kFloat32);
  for (int step = 1; step <= 127; ++step) {
    const CodeRange range{.step = step, .lo = -100, .hi = 90};
    const torch::Tensor codes = ChildCodes(q8, range);
    for (int i = 0; i < 255; ++i) ASSERT_EQ(codes[i].item<float>(), ChildCode(i - 127, range)) << step << " " << i;
  }
  const CodeRange sign = StandardRange(*BitWidth::FromBits(1));
  for (int i = 0; i < 255; ++i) ASSERT_EQ(ChildCodes(q8, sign)[i].item<float>(), ChildCode(i - 127, sign));
}

TEST(QuantizeActivations, PassesGradientsInsideTheRangeAndGivesTheStepItsShare) {
  const torch::Tensor x = torch::tensor({-1.0f, 0.3f, 0.5f, 1.2f, 9.0f}).set_requires_grad(true);
  const torch::Tensor step = torch::tensor({0.5f}).set_requires_grad(true);
  const torch::Tensor y = QuantizeActivations(x, step, 4);
  EXPECT_TRUE(torch::equal(y, torch::tensor({0.0f, 0.5f, 0.5f, 1.0f, 2.0f})));
  y.sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::tensor({0.0f, 1.0f, 1.0f, 1.0f, 0.0f})));
  // Inside: round(v) - v for v = .6, 1, 2.4; above: the highest code.
  EXPECT_NEAR(step.grad().item<float>(), (0.4 + 0.0 - 0.4 + 4.0) / std::sqrt(5.0 * 4.0), 1e-6);
}

TEST(QuantizeActivations, GivesPactsClipTheGradientOfAdaBits) {
  const torch::Tensor x = torch::tensor({-1.0f, 0.3f, 1.2f, 9.0f}).set_requires_grad(true);
  const torch::Tensor alpha = torch::tensor({2.0f}).set_requires_grad(true);
  QuantizeActivations(x, alpha / 4, 4, ActivationRule::kPact).sum().backward();
  // q(x / alpha) - x / alpha inside, 1 above: (.25 - .15) + (.5 - .6) + 1.
  EXPECT_NEAR(alpha.grad().item<float>(), 1.0, 1e-6);
}

TEST(QuantizeActivations, PassesGradientsBeyondTheRangeWithinTheMargin) {
  const torch::Tensor x = torch::tensor({-0.7f, -0.3f, 0.5f, 1.3f, 1.7f}).set_requires_grad(true);
  QuantizeActivations(x, torch::ones({1}), 1, ActivationRule::kLearnedStep, /*margin=*/0.5).sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::tensor({0.0f, 1.0f, 1.0f, 1.0f, 0.0f})));
}

TEST(QuantizeActivations, HoldsSignedValuesAroundTheZeroPoint) {
  const torch::Tensor x = torch::tensor({-9.0f, -1.2f, -0.3f, 0.0f, 0.6f, 9.0f}).set_requires_grad(true);
  const torch::Tensor step = torch::tensor({0.5f}).set_requires_grad(true);
  // -3..2 steps.
  const torch::Tensor y =
      QuantizeActivations(x, step, /*highest=*/5, ActivationRule::kLearnedStep, /*margin=*/0, /*zero=*/3);
  EXPECT_TRUE(torch::equal(y, torch::tensor({-1.5f, -1.0f, -0.5f, 0.0f, 0.5f, 1.0f}))) << y;
  y.sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::tensor({0.0f, 1.0f, 1.0f, 1.0f, 1.0f, 0.0f}))) << x.grad();
  // Below: the lowest code; inside: round(v) - v for v = -2.4, -.6, 0, 1.2; above: the highest.
  EXPECT_NEAR(step.grad().item<float>(), (-3.0 + 0.4 - 0.4 + 0.0 - 0.2 + 2.0) / std::sqrt(6.0 * 5.0), 1e-6);
}

TEST(QuantizeActivations, GivesTheSameByItsLoopsAndByTensorOperations) {
  torch::manual_seed(1);
  const torch::Tensor values = torch::randn({4, 6, 5, 5}) * 2;
  // Double precision takes the general path; the values are exact floats.
  const auto run = [&](torch::ScalarType type, int zero) {
    const torch::Tensor x = values.to(type).detach().set_requires_grad(true);
    const torch::Tensor step = torch::full({1}, 0.25).to(type).set_requires_grad(true);
    const torch::Tensor y = QuantizeActivations(x, step, 12, ActivationRule::kLearnedStep, /*margin=*/0.3, zero);
    (y * y).sum().backward();
    return std::vector<torch::Tensor>{y.to(torch::kFloat32), x.grad().to(torch::kFloat32),
                                      step.grad().to(torch::kFloat32)};
  };
  for (int zero : {0, 6}) {
    const auto passes = run(torch::kFloat32, zero), general = run(torch::kFloat64, zero);
    for (size_t i = 0; i < passes.size(); ++i) EXPECT_TRUE(torch::allclose(passes[i], general[i], 1e-5, 1e-6)) << i;
  }
}

TEST(TeacherLoss, IsZeroForAnEqualTeacherAndPullsTheStudentTowardsAnother) {
  const torch::Tensor student = torch::tensor({{1.0f, 2.0f, 3.0f}, {0.0f, 0.0f, 0.0f}}).set_requires_grad(true);
  const torch::Tensor teacher = torch::tensor({{3.0f, 2.0f, 1.0f}, {0.0f, 0.0f, 5.0f}}).set_requires_grad(true);
  EXPECT_NEAR(TeacherLoss(student, student, 3).item<float>(), 0, 1e-6);
  TeacherLoss(student, teacher, 2).backward();
  EXPECT_FALSE(teacher.grad().defined());
  // T (softmax(student / T) - softmax(teacher / T)) / rows.
  const torch::Tensor expected =
      2 * (torch::softmax(student.detach() / 2, 1) - torch::softmax(teacher.detach() / 2, 1)) / 2;
  EXPECT_TRUE(torch::allclose(student.grad(), expected, 1e-4, 1e-6));
}

TEST(PassLoss, IsOfTheLabelsWithoutATeacher) {
  const torch::Tensor logits = torch::randn({2, 3}), teacher = torch::randn({2, 3}), labels = torch::tensor(1.5f);
  const auto loss = [&](const char* recipe, const torch::Tensor& by) {
    return PassLoss(*ParseRecipe(recipe), labels, logits, by).item<float>();
  };
  const float soft = TeacherLoss(logits, teacher, 2).item<float>();
  EXPECT_EQ(loss("coquant", {}), 1.5f);
  EXPECT_EQ(loss("coquant,loss=labels", teacher), 1.5f);
  EXPECT_FLOAT_EQ(loss("coquant,loss=soft", teacher), soft);
  EXPECT_FLOAT_EQ(loss("coquant,distill=0.5", teacher), 1.5f + 0.5f * soft);
}

TEST(PassLoss, SharesItsWeightBetweenLabelsAndTeacherWhereItIsNormalized) {
  const torch::Tensor logits = torch::tensor({{0.0f, 1.0f}}), teacher = torch::tensor({{2.0f, 0.0f}});
  const torch::Tensor labels = torch::tensor(1.5f);
  const auto loss = [&](const char* recipe, const torch::Tensor& by) {
    return PassLoss(*ParseRecipe(recipe), labels, logits, by).item<float>();
  };
  // KL of softmax(2, 0) and softmax(0, 1): p = 0.880797, q = 0.268941.
  const float divergence = 0.880797f * std::log(0.880797f / 0.268941f) + 0.119203f * std::log(0.119203f / 0.731059f);
  EXPECT_NEAR(loss("coquant,loss=normalized,alpha=0.25,temperature=1", teacher), 0.75f * 1.5f + 0.25f * divergence,
              1e-4);
  EXPECT_EQ(loss("coquant,loss=normalized,alpha=0", teacher), 1.5f);
  EXPECT_FLOAT_EQ(loss("coquant,loss=normalized,alpha=1", teacher), loss("coquant,loss=soft", teacher));
  EXPECT_EQ(loss("coquant,loss=normalized", {}), 1.5f);
}

TEST(ShapePenalty, IsLeastForUniformWeightsAndSeesSkew) {
  const torch::Tensor uniform = torch::linspace(-1, 1, 10001);
  EXPECT_NEAR(ShapePenalty({uniform}, 1, 1).item<float>(), 0, 1e-4);
  torch::manual_seed(1);
  const torch::Tensor gaussian = torch::randn({100000});
  EXPECT_NEAR(ShapePenalty({gaussian}, 1, 0).item<float>(), 1.2 * 1.2, 0.15);
  EXPECT_NEAR(ShapePenalty({gaussian, uniform}, 1, 0).item<float>(), 1.2 * 1.2 / 2, 0.1);
  EXPECT_NEAR(ShapePenalty({-torch::rand({100000}).log()}, 0, 1).item<float>(), 4, 0.5);  // exponential: skewness 2
}

}  // namespace
}  // namespace anybit::model::train
