// A float ResNet, written with LibTorch's functions and torchvision's names, becomes an artifact.
#include "model/train/convert/post_training.h"

#include <torch/torch.h>

#include <cmath>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/engine/packed_network.h"
#include "model/engine/torch_network.h"
#include "model/format/safetensors.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/convert/float_import.h"
#include "model/train/convert/norm_estimator.h"

namespace anybit::model::train {
namespace {

class OneThread : public testing::Environment {
  void SetUp() override { torch::set_num_threads(1); }
};
const auto* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

constexpr int kSide = 12;
constexpr int kImages = 48;
constexpr int kClasses = 5;

NetworkSpec SmallSpec() {
  return BasicBlockNetwork({.name = "small",
                            .side = kSide,
                            .input_channels = 3,
                            .stem_stride = 1,
                            .stages = {16, 24},
                            .downsampling = Downsampling::kStride,
                            .classes = kClasses,
                            .shortcut_relu = false});
}

// conv1 - layer1.0 - layer2.0 with a strided shortcut - pool - fc, with torchvision's operators and names.
class FloatNetwork {
 public:
  explicit FloatNetwork(const torch::Tensor& images) {
    torch::manual_seed(11);
    AddConv("conv1", "bn1", 16, 3, 3);
    AddConv("layer1.0.conv1", "layer1.0.bn1", 16, 16, 3);
    AddConv("layer1.0.conv2", "layer1.0.bn2", 16, 16, 3);
    AddConv("layer2.0.conv1", "layer2.0.bn1", 24, 16, 3);
    AddConv("layer2.0.conv2", "layer2.0.bn2", 24, 24, 3);
    AddConv("layer2.0.downsample.0", "layer2.0.downsample.1", 24, 16, 1);
    tensors_["fc.weight"] = torch::randn({kClasses, 24}) * 0.3;
    tensors_["fc.bias"] = torch::randn({kClasses});
    // The running statistics are those of the data, as after training.
    learning_ = true;
    Forward(images, 0);
    learning_ = false;
  }

  // Logits of images 0..1 [N, 3, H, W], padded with `border` instead of by the first convolution.
  torch::Tensor Forward(const torch::Tensor& images, double border) {
    const torch::Tensor padded = torch::constant_pad_nd(images, {1, 1, 1, 1}, border);
    torch::Tensor x = torch::relu(Norm("bn1", torch::conv2d(padded, tensors_["conv1.weight"])));
    x = Block("layer1.0", x, 1);
    x = Block("layer2.0", x, 2);
    return torch::linear(x.mean({2, 3}), tensors_["fc.weight"], tensors_["fc.bias"]);
  }

  std::string Save() const {
    SafetensorsWriter writer;
    for (const auto& [name, tensor] : tensors_) {
      const torch::Tensor t = tensor.contiguous();
      writer.AddFloat(name, t.sizes().vec(), {t.const_data_ptr<float>(), static_cast<size_t>(t.numel())});
    }
    return writer.Finish();
  }

 private:
  void AddConv(const std::string& conv, const std::string& norm, int out, int in, int kernel) {
    tensors_[conv + ".weight"] = torch::randn({out, in, kernel, kernel}) * 0.1;
    // The values of some channels fall as their sums rise.
    tensors_[norm + ".weight"] = torch::rand({out}) + 0.5;
    tensors_[norm + ".weight"][1] *= -1;
    tensors_[norm + ".bias"] = torch::randn({out}) * 0.3;
    tensors_[norm + ".running_mean"] = torch::zeros({out});
    tensors_[norm + ".running_var"] = torch::ones({out});
  }

  torch::Tensor Norm(const std::string& name, const torch::Tensor& x) {
    return torch::batch_norm(x, tensors_[name + ".weight"], tensors_[name + ".bias"], tensors_[name + ".running_mean"],
                             tensors_[name + ".running_var"], learning_, 1.0, 1e-5, true);
  }

  torch::Tensor Block(const std::string& name, const torch::Tensor& x, int stride) {
    torch::Tensor y =
        torch::relu(Norm(name + ".bn1", torch::conv2d(x, tensors_[name + ".conv1.weight"], {}, stride, 1)));
    y = Norm(name + ".bn2", torch::conv2d(y, tensors_[name + ".conv2.weight"], {}, 1, 1));
    const std::string shortcut = name + ".downsample.0.weight";
    const bool has = tensors_.contains(shortcut);
    return torch::relu(y + (has ? Norm(name + ".downsample.1", torch::conv2d(x, tensors_[shortcut], {}, stride)) : x));
  }

  std::map<std::string, torch::Tensor> tensors_;
  bool learning_ = false;
};

// Smooth coloured blots, as codes [N, H, W, 3].
std::vector<uint8_t> Blots(int count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint8_t> codes;
  for (int i = 0; i < count; ++i) {
    double at[3][3];
    for (auto& channel : at) {
      for (double& value : channel) value = static_cast<double>(random() % 1000) / 1000;
    }
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        for (const auto& [cy, cx, size] : at) {
          const double distance = std::hypot(y - cy * kSide, x - cx * kSide);
          const double brightness = 180 * std::exp(-distance / (2 + 4 * size));
          codes.push_back(static_cast<uint8_t>(20 + brightness + static_cast<double>(random() % 30)));
        }
      }
    }
  }
  return codes;
}

// [N, 3, H, W], 0..1
torch::Tensor Pixels(const std::vector<uint8_t>& codes) {
  const int64_t images = static_cast<int64_t>(codes.size()) / (kSide * kSide * 3);
  return torch::from_blob(const_cast<uint8_t*>(codes.data()), {images, kSide, kSide, 3}, torch::kUInt8)
             .permute({0, 3, 1, 2})
             .to(torch::kFloat32) /
         255;
}

torch::Tensor Logits(const AdaptiveNetwork& network, int point, const std::vector<uint8_t>& codes) {
  const int64_t rows = static_cast<int64_t>(codes.size()) / (kSide * kSide * 3);
  torch::Tensor logits = torch::empty({rows, kClasses});
  const auto scratch = network.MakeScratch(static_cast<int>(rows));
  const std::span<float> out(logits.mutable_data_ptr<float>(), static_cast<size_t>(logits.numel()));
  EXPECT_TRUE(network.Run(ToPointId(point), codes, out, *scratch).ok());
  return logits;
}

// Root mean squared difference as a share of the deviation of `expected`.
double RelativeError(const torch::Tensor& got, const torch::Tensor& expected) {
  return ((got - expected).square().mean().sqrt() / (expected - expected.mean(0)).square().mean().sqrt())
      .item<double>();
}

struct Converted {
  std::vector<uint8_t> codes = Blots(kImages, 1);
  FloatNetwork network{Pixels(codes)};
  Artifact full;

  explicit Converted(const InputNormalisation& normalisation = {}) {
    const std::string text = network.Save();
    full = ImportFloatNetwork(*ParseSafetensors(text), SmallSpec(), normalisation)->artifact;
  }

  Artifact Quantize(const char* points, Rounding rounding = Rounding::kJoint) const {
    const absl::StatusOr<Artifact> artifact = QuantizeAfterTraining(full, *ParsePoints(points), codes, {}, rounding);
    EXPECT_TRUE(artifact.ok()) << artifact.status();
    return *artifact;
  }
};

TEST(Conversion, TheFullPrecisionPointComputesTheFloatNetwork) {
  Converted converted;
  const auto served = *TorchNetwork::Create(converted.full);
  const torch::Tensor expected = converted.network.Forward(Pixels(converted.codes), 0);
  EXPECT_LT(RelativeError(Logits(*served, 0, converted.codes), expected), 1e-4);
}

TEST(Conversion, FoldsTheNormalisationOfTheInputUpToWhatStandsAroundTheImage) {
  Converted converted({.mean = {0.4f}, .deviation = {0.25f}});
  const torch::Tensor normalised = (Pixels(converted.codes) - 0.4) / 0.25;
  const auto served = *TorchNetwork::Create(converted.full);
  // A black border, in which the two differ: the float network pads with 0, its mean.
  EXPECT_LT(RelativeError(Logits(*served, 0, converted.codes), converted.network.Forward(normalised, -0.4 / 0.25)),
            1e-4);
  const torch::Tensor exact = converted.network.Forward(normalised, 0);
  EXPECT_GT(RelativeError(Logits(*served, 0, converted.codes), exact), 1e-3);
  // Points are estimated from the float network with its own border.
  const auto estimator = *NormEstimator::Create(converted.full, converted.codes, std::vector<float>(3, 0.4f * 255));
  const std::span<const float> logits = estimator->float_logits();
  EXPECT_LT(RelativeError(torch::from_blob(const_cast<float*>(logits.data()), {kImages, kClasses}), exact), 1e-4);
}

TEST(Conversion, MakesPointsThatComputeTheFloatNetworkAsWellAsTheirBitsAllow) {
  Converted converted;
  const Artifact artifact = converted.Quantize("fp32,bf16,w8a8,w6a6,w4a4,w1a1");
  ASSERT_TRUE(ValidateArtifact(artifact).ok()) << ValidateArtifact(artifact);
  const auto engine = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  // Images that were not used for the estimation.
  const std::vector<uint8_t> codes = Blots(64, 2);
  const torch::Tensor expected = converted.network.Forward(Pixels(codes), 0);
  std::vector<double> errors;
  for (int p = 0; p < 6; ++p) errors.push_back(RelativeError(Logits(*engine, p, codes), expected));
  EXPECT_LT(errors[0], 1e-4);
  EXPECT_LT(errors[1], 0.02);
  EXPECT_LT(errors[2], 0.05);
  EXPECT_LT(errors[3], 0.15);
  EXPECT_LT(errors[4], 0.6);
  EXPECT_LT(errors[5], 1.5);
  for (size_t p = 1; p < errors.size(); ++p) EXPECT_GT(errors[p], errors[p - 1]) << p;
}

TEST(Conversion, TellsTheErrorOfEachLayerWhichGrowsWithFewerBits) {
  Converted converted;
  LayerSqnr sqnr;
  const auto artifact = QuantizeAfterTraining(converted.full, *ParsePoints("fp32,w8a8,w4a4,w2a2"), converted.codes, {},
                                              Rounding::kJoint, {}, &sqnr);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  ASSERT_EQ(sqnr.size(), 4u);
  EXPECT_TRUE(sqnr[0].empty());
  const size_t layers = artifact->store.size();
  for (size_t p = 1; p < 4; ++p) ASSERT_EQ(sqnr[p].size(), layers);
  for (size_t i = 0; i < layers; ++i) {
    EXPECT_GT(sqnr[1][i], 25) << i;
    EXPECT_GT(sqnr[1][i], sqnr[2][i] + 3) << i;
    EXPECT_GT(sqnr[2][i], sqnr[3][i] + 1) << i;
    EXPECT_GT(sqnr[3][i], -3) << i;
  }
}

TEST(Conversion, GivesLogitsTheMeansOfTheFloatNetwork) {
  Converted converted;
  const Artifact artifact = converted.Quantize("w4a4f,w1a1");
  EXPECT_TRUE(artifact.store[0].full.empty()) << "nested: no fp32 point was wanted";
  const auto engine = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  const torch::Tensor expected = converted.network.Forward(Pixels(converted.codes), 0).mean(0);
  for (int p = 0; p < 2; ++p) {
    EXPECT_TRUE(torch::allclose(Logits(*engine, p, converted.codes).mean(0), expected, 1e-3, 1e-3)) << p;
  }
}

TEST(Conversion, JointRoundingServesFewLevelsBetterThanRoundingToTheStore) {
  Converted converted;
  const char* points = "w8a8,narrow=51/-2/2/255";
  const std::vector<uint8_t> codes = Blots(64, 3);
  const torch::Tensor expected = converted.network.Forward(Pixels(codes), 0);
  const auto error = [&](Rounding rounding) {
    const auto engine = *PackedNetwork::Create(converted.Quantize(points, rounding), *SupportedKernels().front());
    return RelativeError(Logits(*engine, 1, codes), expected);
  };
  EXPECT_LT(error(Rounding::kJoint), error(Rounding::kNearest));
}

TEST(NormEstimator, GivesEachChannelTheMomentsOfTheFullPrecisionPoint) {
  Converted converted;
  Artifact artifact = converted.Quantize("fp32,w2a8");
  const auto simulation = *TorchNetwork::Create(artifact);
  const LayerTrace trace = *simulation->Trace(ToPointId(1), converted.codes);
  // The float network's values of the stem are known. Codes times their step stand for these values after the ReLU.
  const torch::Tensor real = torch::relu(
      torch::conv2d(Pixels(converted.codes) * 255,
                    torch::tensor(artifact.store[0].full).reshape({16, 3, 3, 3}).permute({0, 3, 1, 2}), {}, 1, 1) *
          torch::tensor(artifact.points[0].layers[0].scale).reshape({1, -1, 1, 1}) +
      torch::tensor(artifact.points[0].layers[0].bias).reshape({1, -1, 1, 1}));
  const torch::Tensor codes =
      torch::tensor(trace[0].codes).reshape({kImages, kSide, kSide, 16}).permute({0, 3, 1, 2}).to(torch::kFloat32);
  const torch::Tensor ratio = real.mean({0, 2, 3}) / codes.mean({0, 2, 3});  // the step, in every channel
  EXPECT_LT((ratio.std() / ratio.mean()).item<double>(), 0.01) << ratio;
}

TEST(NormEstimator, RefusesWhatItCannotEstimateFrom) {
  Converted converted;
  EXPECT_EQ(NormEstimator::Create(converted.full, std::vector<uint8_t>(100)).status().message(),
            "100 codes are not a whole number of images of 432");
  EXPECT_EQ(NormEstimator::Create(converted.full, converted.codes, {1, 2}).status().message(),
            "a border of 2 channels for 3");
  EXPECT_EQ(NormEstimator::Create(converted.Quantize("w8a8"), converted.codes).status().message(),
            "an artifact without an fp32 point has nothing to estimate from");
  const auto estimator = *NormEstimator::Create(converted.full, converted.codes);
  PointRanges ranges = UniformRanges(ParsePoints("w4a4")->front(), 7);
  ranges.highest_codes[2] = 256;
  EXPECT_EQ(estimator->Estimate(converted.full.store, ranges).status().message(),
            "highest activation code 256 is outside 1..255");
  ranges.highest_codes.pop_back();
  EXPECT_EQ(estimator->Estimate(converted.full.store, ranges).status().message(),
            "point 'w4a4' has ranges of 7 weights and 6 activations for 7 layers");
  const std::vector<PointRecipe> none = *ParsePoints("fp32");
  EXPECT_EQ(QuantizeAfterTraining(converted.full, none, converted.codes, {}, Rounding::kJoint).status().message(),
            "no quantized operating point is wanted");
}

}  // namespace
}  // namespace anybit::model::train
