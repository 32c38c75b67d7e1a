#include "model/train/convert/float_import.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/arch/basic_block_network.h"
#include "model/arch/registry.h"
#include "model/testing/random_artifact.h"
#include "model/train/convert/float_export.h"

namespace anybit::model::train {
namespace {

NetworkSpec SmallSpec(int classes = 5, bool shortcut_relu = false) {
  return BasicBlockNetwork({.name = "small",
                            .side = 8,
                            .input_channels = 3,
                            .stages = {4, 6},
                            .classes = classes,
                            .shortcut_relu = shortcut_relu});
}

Artifact SmallArtifact() {
  Artifact artifact = RandomArtifact(SmallSpec(), 1);
  for (LayerEpilogue& layer : artifact.points[0].layers) {
    if (layer.residual_scale != 0) layer.residual_scale = 1;
  }
  return artifact;
}

std::string SmallFile() { return *ExportFloatNetwork(SmallArtifact()); }

std::vector<float> Floats(const TensorView& tensor) {
  std::vector<float> values(tensor.bytes.size() / 4);
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

absl::StatusOr<Artifact> Import(const TensorFile& file, const NetworkSpec& spec,
                                const InputNormalisation& normalisation) {
  absl::StatusOr<FloatNetwork> network = ImportFloatNetwork(file, spec, normalisation);
  if (!network.ok()) return network.status();
  return std::move(network->artifact);
}

std::string ImportError(const std::string& text, const NetworkSpec& spec,
                        const InputNormalisation& normalisation = {}) {
  const absl::StatusOr<TensorFile> file = ParseSafetensors(text);
  EXPECT_TRUE(file.ok()) << file.status();
  return std::string(Import(*file, spec, normalisation).status().message());
}

// The factor of an input code at the fp32 point, for each weight of each layer.
std::vector<double> Products(const Artifact& artifact) {
  std::vector<double> products;
  for (size_t i = 0; i < artifact.store.size(); ++i) {
    const std::vector<float>&full = artifact.store[i].full, &scale = artifact.points[0].layers[i].scale;
    for (size_t j = 0; j < full.size(); ++j)
      products.push_back(double{full[j]} * scale[j * scale.size() / full.size()]);
  }
  return products;
}

TEST(FloatImport, ReadsWhatExportWrites) {
  const std::string text = SmallFile();
  const absl::StatusOr<Artifact> imported = Import(*ParseSafetensors(text), SmallSpec(), {});
  ASSERT_TRUE(imported.ok()) << imported.status();
  ASSERT_TRUE(ValidateArtifact(*imported).ok()) << ValidateArtifact(*imported);
  const Artifact original = SmallArtifact();
  const std::vector<double> got = Products(*imported), expected = Products(original);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-6 + 1e-5 * std::abs(expected[i])) << i;
  for (size_t i = 0; i < original.store.size(); ++i) {
    for (size_t o = 0; o < original.points[0].layers[i].bias.size(); ++o) {
      EXPECT_FLOAT_EQ(imported->points[0].layers[i].bias[o], original.points[0].layers[i].bias[o]);
    }
  }
}

TEST(FloatImport, FoldsTheInputsNormalisationIntoTheFirstLayer) {
  const std::string text = SmallFile();
  const TensorFile file = *ParseSafetensors(text);
  const Artifact plain = *Import(file, SmallSpec(), {});
  const Artifact folded = *Import(file, SmallSpec(), {.mean = {0.5f, 0.25f, 0.0f}, .deviation = {0.5f, 0.25f, 2.0f}});
  // The definition at one pixel with codes c: the sum of w * (c / 255 - mean) / deviation over the 27 taps.
  const double codes[] = {10, 200, 90}, mean[] = {0.5, 0.25, 0}, deviation[] = {0.5, 0.25, 2};
  const LayerEpilogue &before = plain.points[0].layers[0], &after = folded.points[0].layers[0];
  for (size_t o = 0; o < 4; ++o) {
    double expected = before.bias[o], got = after.bias[o];
    for (size_t d = 0; d < 27; ++d) {
      const size_t c = d % 3;
      const double normalised = (codes[c] / 255 - mean[c]) / deviation[c];
      expected += plain.store[0].full[o * 27 + d] * before.scale[o] * 255 * normalised;
      got += folded.store[0].full[o * 27 + d] * after.scale[o] * codes[c];
    }
    EXPECT_NEAR(got, expected, 1e-4) << o;
  }
}

// Names and shapes of a network's tensors in torchvision. `convs` has (output channels as a multiple of the stage's,
// kernel) of each convolution of a block.
std::set<std::string> TorchvisionTensors(const std::vector<int>& stages, const std::vector<int>& blocks,
                                         const std::vector<std::pair<int, int>>& convs, int classes) {
  std::set<std::string> tensors;
  const auto conv = [&](const std::string& name, const std::string& norm, int out, int in, int kernel) {
    tensors.insert(absl::StrCat(name, ".weight [", out, ",", in, ",", kernel, ",", kernel, "]"));
    for (const char* part : {"weight", "bias", "running_mean", "running_var"}) {
      tensors.insert(absl::StrCat(norm, ".", part, " [", out, "]"));
    }
  };
  conv("conv1", "bn1", stages[0], 3, 7);
  int in = stages[0];
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    const int out = stages[stage] * convs.back().first;
    for (int block = 0; block < blocks[stage]; ++block) {
      const std::string name = absl::StrCat("layer", stage + 1, ".", block);
      if (in != out) conv(name + ".downsample.0", name + ".downsample.1", out, in, 1);
      for (size_t i = 0; i < convs.size(); ++i) {
        const int wide = stages[stage] * convs[i].first;
        conv(absl::StrCat(name, ".conv", i + 1), absl::StrCat(name, ".bn", i + 1), wide, in, convs[i].second);
        in = wide;
      }
    }
  }
  tensors.insert(absl::StrCat("fc.weight [", classes, ",", in, "]"));
  tensors.insert(absl::StrCat("fc.bias [", classes, "]"));
  return tensors;
}

std::set<std::string> ExportedTensors(const NetworkSpec& spec) {
  Artifact artifact = RandomArtifact(spec, 1);
  for (LayerEpilogue& layer : artifact.points[0].layers) {
    if (layer.residual_scale != 0) layer.residual_scale = 1;
  }
  const std::string text = *ExportFloatNetwork(artifact);
  const TensorFile file = *ParseSafetensors(text);
  std::set<std::string> tensors;
  for (const auto& [name, tensor] : file.tensors) {
    tensors.insert(absl::StrCat(name, " [", absl::StrJoin(tensor.shape, ","), "]"));
  }
  EXPECT_TRUE(Import(file, spec, {}).ok());
  return tensors;
}

TEST(FloatImport, NamesResNetsWithImageNetStemsAsTorchvisionDoes) {
  const std::vector<int> stages = {4, 8, 16, 32};
  EXPECT_EQ(ExportedTensors(*ArchitectureByName("resnet18_imagenet:width=0.0625,side=32,channels=3,classes=7")),
            TorchvisionTensors(stages, {2, 2, 2, 2}, {{1, 3}, {1, 3}}, 7));
  EXPECT_EQ(ExportedTensors(*ArchitectureByName("resnet50_imagenet:width=0.0625,side=32,channels=3,classes=7")),
            TorchvisionTensors(stages, {3, 4, 6, 3}, {{1, 1}, {1, 3}, {4, 1}}, 7));
}

// The small network's file with other names.
std::string Renamed(const std::function<std::string(const std::string&)>& rename) {
  SafetensorsWriter writer;
  const std::string text = SmallFile();
  const TensorFile file = *ParseSafetensors(text);
  for (const auto& [name, tensor] : file.tensors) writer.AddFloat(rename(name), tensor.shape, Floats(tensor));
  return writer.Finish();
}

TEST(FloatImport, KnowsOtherDialectsAndTheNamesOfWrappers) {
  const std::string text = SmallFile();
  const std::string plain = SerializeArtifact(*Import(*ParseSafetensors(text), SmallSpec(), {}));
  for (const char* prefix : {"", "module.", "_orig_mod.", "model.", "module.module.", "model._orig_mod.module."}) {
    const std::string other = Renamed([&](const std::string& name) {
      return prefix + absl::StrReplaceAll(name, {{"fc.", "linear."}, {"downsample", "shortcut"}});
    });
    const absl::StatusOr<Artifact> imported = Import(*ParseSafetensors(other), SmallSpec(), {});
    ASSERT_TRUE(imported.ok()) << prefix << imported.status();
    EXPECT_EQ(SerializeArtifact(*imported), plain) << prefix;
  }
}

// A file with the tensors of `text`, followed by others of `type` with zero bytes.
struct Extra {
  const char* name;
  const char* type;
  std::vector<int64_t> shape;
  int64_t bytes;
};
std::string WithExtras(const std::string& text, const std::vector<Extra>& extras) {
  uint64_t size = 0;
  std::memcpy(&size, text.data(), sizeof(size));
  std::string header = text.substr(sizeof(size), size), data = text.substr(sizeof(size) + size);
  header.resize(header.rfind('}'));
  for (const Extra& extra : extras) {
    absl::StrAppend(&header, ",\"", extra.name, "\":{\"dtype\":\"", extra.type, "\",\"shape\":[",
                    absl::StrJoin(extra.shape, ","), "],\"data_offsets\":[", data.size(), ",",
                    data.size() + extra.bytes, "]}");
    data.append(extra.bytes, '\0');
  }
  header += "}";
  size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data;
}

TEST(FloatImport, ListsTensorsThatAreNotNeededInOneLine) {
  const std::string text = WithExtras(SmallFile(), {{"bn1.num_batches_tracked", "I64", {}, 8},
                                                    {"layer1.0.bn1.num_batches_tracked", "F32", {}, 4},
                                                    {"layer1.0.conv1.mask", "U8", {4, 4}, 16},
                                                    {"criterion.weight", "F32", {5}, 20},
                                                    {"n_averaged", "BOOL", {}, 1}});
  const absl::StatusOr<TensorFile> file = ParseSafetensors(text);
  ASSERT_TRUE(file.ok()) << file.status();
  const absl::StatusOr<FloatNetwork> network = ImportFloatNetwork(*file, SmallSpec(), {});
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(network->unneeded,
            "'layer1.0.conv1.mask' U8 [4,4], 'n_averaged' BOOL [], 2 named *.num_batches_tracked, 'criterion.weight' "
            "F32 [5]");
  const std::string plain = SmallFile();
  EXPECT_EQ(ImportFloatNetwork(*ParseSafetensors(plain), SmallSpec(), {})->unneeded, "");
}

TEST(FloatImport, RefusesNumbersOfALayerThatItWouldLeaveOut) {
  EXPECT_EQ(ImportError(WithExtras(SmallFile(), {{"module.conv1.bias", "F32", {4}, 16}}), SmallSpec()),
            "1 tensor unexpected: 'conv1.bias' [4]");
  EXPECT_EQ(ImportError(WithExtras(SmallFile(), {{"layer1.1.conv1.weight", "F16", {1}, 2}}), SmallSpec()),
            "1 tensor unexpected: 'layer1.1.conv1.weight' [1]");
}

TEST(FloatImport, RefusesTwoTensorsOfOneName) {
  EXPECT_EQ(ImportError(WithExtras(SmallFile(), {{"module.bn1.bias", "F32", {4}, 16}}), SmallSpec()),
            "tensors 'bn1.bias' and 'module.bn1.bias' are both 'bn1.bias': keep one of the two networks");
}

TEST(FloatImport, SaysWhichTypeWeightsHaveThatItCannotRead) {
  SafetensorsWriter writer;
  const std::string text = SmallFile();
  const TensorFile file = *ParseSafetensors(text);
  for (const auto& [name, tensor] : file.tensors) {
    if (name != "fc.bias") writer.AddFloat(name, tensor.shape, Floats(tensor));
  }
  EXPECT_EQ(ImportError(WithExtras(writer.Finish(), {{"fc.bias", "U8", {5}, 5}}), SmallSpec()),
            "1 tensor of another shape: 'fc.bias' [5] of U8, expected [5]");
}

// The same tensors with another type.
template <typename T>
std::string Encoded(const TensorFile& file, const char* type, T (*encode)(float)) {
  std::string header, data;
  for (const auto& [name, tensor] : file.tensors) {
    const size_t begin = data.size();
    for (const float value : Floats(tensor)) {
      const T encoded = encode(value);
      data.append(reinterpret_cast<const char*>(&encoded), sizeof(encoded));
    }
    absl::StrAppend(&header, header.empty() ? "{" : ",", "\"", name, "\":{\"dtype\":\"", type, "\",\"shape\":[",
                    absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[", begin, ",", data.size(), "]}");
  }
  header += "}";
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data;
}

TEST(FloatImport, ReadsWeightsOfSixteenAndOfSixtyFourBits) {
  const std::string text = SmallFile();
  const TensorFile file = *ParseSafetensors(text);
  const std::vector<double> expected = Products(*Import(file, SmallSpec(), {}));
  const std::string brain =
      Encoded<uint16_t>(file, "BF16", [](float v) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(v) >> 16); });
  const std::string half = Encoded<uint16_t>(file, "F16", [](float v) {
    const uint32_t bits = std::bit_cast<uint32_t>(v);
    const int exponent = static_cast<int>(bits >> 23 & 255) - 112;
    const uint32_t magnitude = exponent <= 0 ? ((bits >> 13 & 1023) | 1024) >> std::min(1 - exponent, 11)
                                             : static_cast<uint32_t>(exponent) << 10 | (bits >> 13 & 1023);
    return static_cast<uint16_t>((bits >> 16 & 0x8000) | magnitude);
  });
  const std::string full = Encoded<double>(file, "F64", [](float v) { return double{v}; });
  for (const auto& [encoded, tolerance] : {std::pair(&brain, 0.016), std::pair(&half, 0.016), std::pair(&full, 0.0)}) {
    const absl::StatusOr<TensorFile> parsed = ParseSafetensors(*encoded);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    const absl::StatusOr<Artifact> imported = Import(*parsed, SmallSpec(), {});
    ASSERT_TRUE(imported.ok()) << imported.status();
    const std::vector<double> got = Products(*imported);
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], expected[i], tolerance * (0.01 + std::abs(expected[i]))) << i;
    }
  }
}

TEST(FloatImport, ListsWhatIsMissingUnexpectedAndMisshapen) {
  EXPECT_EQ(ImportError(SmallFile(), SmallSpec(7)),
            "2 tensors of another shape: 'fc.weight' [5,6], expected [7,6], 'fc.bias' [5], expected [7]");
  NetworkSpec shallow = BasicBlockNetwork({.name = "s", .side = 8, .input_channels = 3, .stages = {4}, .classes = 5});
  const std::string error = ImportError(SmallFile(), shallow);
  EXPECT_NE(error.find("15 tensors unexpected: 'layer2.0.bn1.bias' [6]"), std::string::npos) << error;
  EXPECT_NE(error.find(", ..."), std::string::npos) << error;
  SafetensorsWriter writer;
  writer.AddFloat("conv1.weight", {4, 3, 3, 3}, std::vector<float>(108));
  const std::string little = ImportError(writer.Finish(), shallow);
  EXPECT_NE(little.find("tensors missing: 'bn1.weight' [4], 'bn1.bias' [4]"), std::string::npos) << little;
}

TEST(FloatImport, NamesShortcutsWithoutConvolutions) {
  SafetensorsWriter writer;
  const std::string text = SmallFile();
  const TensorFile file = *ParseSafetensors(text);
  for (const auto& [name, tensor] : file.tensors) {
    if (name.find("downsample") == std::string::npos) writer.AddFloat(name, tensor.shape, Floats(tensor));
  }
  const std::string error = ImportError(writer.Finish(), SmallSpec());
  EXPECT_NE(error.find("missing: 'layer2.0.downsample.0.weight'"), std::string::npos) << error;
  EXPECT_NE(error.find("(option A of He et al.) are not supported"), std::string::npos) << error;
  EXPECT_EQ(ImportError(text, SmallSpec(7)).find("option A"), std::string::npos);
}

TEST(FloatImport, TellsShortcutsWithReluFromThoseWithout) {
  const NetworkSpec with_relu = SmallSpec(5, /*shortcut_relu=*/true);
  EXPECT_EQ(ImportError(SmallFile(), with_relu),
            "node 'stage2.block1.shortcut' has a ReLU, the file's shortcuts have none");
  Artifact artifact = SmallArtifact();
  artifact.spec = with_relu;
  const std::string text = *ExportFloatNetwork(artifact);
  EXPECT_TRUE(Import(*ParseSafetensors(text), with_relu, {}).ok());
  EXPECT_EQ(ImportError(text, SmallSpec()), "node 'stage2.block1.shortcut' has no ReLU, the file's shortcuts have one");
}

TEST(FloatImport, RefusesNodesWithoutANameAndImpossibleNormalisations) {
  NetworkSpec odd = SmallSpec();
  odd.mutable_nodes(0)->set_name("odd");
  for (proto::Node& node : *odd.mutable_nodes()) {
    for (std::string& input : *node.mutable_inputs()) {
      if (input == "stem") input = "odd";
    }
  }
  EXPECT_EQ(ImportError(SmallFile(), odd), "node 'odd' is none of a ResNet's: no tensor is known to belong to it");
  EXPECT_EQ(ImportError(SmallFile(), SmallSpec(), {.deviation = {0}}), "normalisation by 0 is impossible");
  EXPECT_EQ(ImportError(SmallFile(), SmallSpec(), {.mean = {0, 0}}), "normalisation of 2 channels for an input of 3");
}

}  // namespace
}  // namespace anybit::model::train
