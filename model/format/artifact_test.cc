#include "model/format/artifact.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "model/arch/basic_block_network.h"
#include "model/arch/registry.h"
#include "model/format/safetensors.h"
#include "model/testing/gated_network.h"
#include "model/testing/random_artifact.h"

namespace anybit::model {
namespace {

Artifact Tiny() { return RandomArtifact(BasicBlockNetwork({.name = "tiny", .side = 8, .stages = {4, 8}}), 1); }

std::string ValidationError(const std::function<void(Artifact&)>& change) {
  Artifact artifact = Tiny();
  change(artifact);
  return std::string(ValidateArtifact(artifact).message());
}

// The artifact's file with its tensors and metadata edited and its checksum right, as a foreign tool might write it.
std::string Rewritten(const std::function<void(std::string& header)>& change, const std::string& drop = "") {
  const std::string text = SerializeArtifact(Tiny());
  const TensorFile file = *ParseSafetensors(text);
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : file.tensors) {
    if (name == drop) continue;
    if (tensor.type == ElementType::kInt8) {
      writer.AddInt8(name, tensor.shape, {reinterpret_cast<const int8_t*>(tensor.bytes.data()), tensor.bytes.size()});
    } else {
      std::vector<float> values(tensor.bytes.size() / 4);
      std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
      writer.AddFloat(name, tensor.shape, values);
    }
  }
  std::string header = file.metadata.at("anybit.header");
  change(header);
  writer.AddMetadata("anybit.format", "1");
  writer.AddMetadata("anybit.header", header);
  writer.AddMetadata("anybit.crc32", "00000000");
  // The reader names the checksum it computed; take it from there.
  const std::string message(ParseArtifact(writer.Finish()).status().message());
  writer.AddMetadata("anybit.crc32", message.substr(std::string("checksum is ").size(), 8));
  return writer.Finish();
}

std::string ParseError(const std::string& text) { return std::string(ParseArtifact(text).status().message()); }

TEST(Artifact, ReadsBackWhatWasWritten) {
  const Artifact written = Tiny();
  const absl::StatusOr<Artifact> read = ParseArtifact(SerializeArtifact(written));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->spec.SerializeAsString(), written.spec.SerializeAsString());
  EXPECT_EQ(read->version, 3);
  EXPECT_EQ(read->trained_with, written.trained_with);
  ASSERT_EQ(read->store.size(), written.store.size());
  for (size_t i = 0; i < written.store.size(); ++i) {
    EXPECT_EQ(read->store[i].q8, written.store[i].q8);
    EXPECT_EQ(read->store[i].scale, written.store[i].scale);
    EXPECT_EQ(read->store[i].full, written.store[i].full);
  }
  ASSERT_EQ(read->points.size(), written.points.size());
  for (size_t p = 0; p < written.points.size(); ++p) {
    EXPECT_EQ(read->points[p].info.name, written.points[p].info.name);
    EXPECT_EQ(read->points[p].info.accuracy, written.points[p].info.accuracy);
    for (size_t i = 0; i < written.points[p].layers.size(); ++i) {
      const LayerEpilogue &a = read->points[p].layers[i], &b = written.points[p].layers[i];
      if (!written.points[p].full_precision) {
        EXPECT_EQ(a.weights, b.weights);
      }
      EXPECT_EQ(a.highest_code, b.highest_code);
      EXPECT_EQ(a.scale, b.scale);
      EXPECT_EQ(a.bias, b.bias);
      EXPECT_EQ(a.residual_scale, b.residual_scale);
    }
  }
}

// Later kinds of nodes: the header has everything that an older program must not misread, so it refuses the file.
TEST(Artifact, ReadsBackEveryKindOfNode) {
  for (const char* narrow :
       {"mobilenetv2:width=0.125,side=8", "clip:width=0.125,side=8", "resnet18_imagenet:width=0.1,side=32"}) {
    const Artifact written = RandomArtifact(*ArchitectureByName(narrow), 1);
    const std::string text = SerializeArtifact(written);
    const absl::StatusOr<Artifact> read = ParseArtifact(text);
    ASSERT_TRUE(read.ok()) << narrow << ": " << read.status();
    EXPECT_EQ(SerializeArtifact(*read), text);
    EXPECT_EQ(read->spec.SerializeAsString(), written.spec.SerializeAsString());
  }
  const std::string mobile =
      SerializeArtifact(RandomArtifact(*ArchitectureByName("mobilenetv2:width=0.125,side=8"), 1));
  EXPECT_NE(mobile.find("without_relu"), std::string::npos);
  EXPECT_NE(mobile.find("groups"), std::string::npos);
}

std::string GatedError(const std::function<void(Artifact&)>& change) {
  Artifact artifact = RandomArtifact(GatedNetwork(), 1);
  change(artifact);
  return std::string(ValidateArtifact(artifact).message());
}

TEST(Artifact, ReadsBackTablesAndGates) {
  Artifact written = RandomArtifact(GatedNetwork(), 1);
  written.spec.mutable_float_input()->set_scale(0.5);
  for (int c = 0; c < 3; ++c) {
    written.spec.mutable_float_input()->add_mean(0.25 * c);
    written.spec.mutable_float_input()->add_std(2);
  }
  const std::string text = SerializeArtifact(written);
  const absl::StatusOr<Artifact> read = ParseArtifact(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(SerializeArtifact(*read), text);
  EXPECT_EQ(read->spec.SerializeAsString(), written.spec.SerializeAsString());
  EXPECT_EQ(read->points[1].layers[1].table, written.points[1].layers[1].table);
  EXPECT_EQ(read->points[1].gates[1].scale, written.points[1].gates[1].scale);
  EXPECT_EQ(Describe(*read).floats->offset[2], 1);
}

TEST(Artifact, RefusesTablesAndGatesThatNoEngineCanRun) {
  constexpr size_t kStem = 1, kSqueeze = 4;  // layers
  EXPECT_EQ(GatedError([](Artifact&) {}), "");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[2].layers[kStem].table.pop_back(); }),
            "point 'w4a4f', node 'stem' table has 255 values, expected 256");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[2].layers[kStem].table[7] = 13; }),
            "point 'w4a4f', node 'stem': code 13 of the table exceeds 12");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[2].layers[kStem].zero_code = 13; }),
            "point 'w4a4f', node 'stem': code 13 for 0 is outside 0..12");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[2].layers[kSqueeze].zero_code = 1; }),
            "point 'w4a4f', node 'squeeze': code 1 for 0 is outside 0..0");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[2].gates.pop_back(); }),
            "point 'w4a4f': gates has 1 values, expected 2");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[0].gates = a.points[1].gates; }),
            "point 'fp32': gates has 2 values, expected 0");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[2].gates[0].scale = NAN; }),
            "point 'w4a4f', node 'gated': scale nan is not finite");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[2].gates[0].highest_code = 256; }),
            "point 'w4a4f', node 'gated': highest activation code 256 is outside 1..255");
  EXPECT_EQ(GatedError([](Artifact& a) { a.points[2].gates[0].zero_code = -1; }),
            "point 'w4a4f', node 'gated': code -1 for 0 is outside 0..12");
}

TEST(Artifact, WritesTheDefaultNetworkByteForByte) {
  std::ifstream in("model/default/fashion.safetensors", std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const absl::StatusOr<Artifact> artifact = ParseArtifact(text);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_TRUE(SerializeArtifact(*artifact) == text);
}

TEST(Artifact, WritesAndReadsAFile) {
  const std::string path = testing::TempDir() + "/artifact_test.safetensors";
  ASSERT_TRUE(WriteArtifact(Tiny(), path).ok());
  EXPECT_TRUE(ReadArtifact(path).ok());
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
  EXPECT_EQ(ReadArtifact(path + ".absent").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadArtifact(testing::TempDir()).ok(), false);
}

TEST(Artifact, AFlippedBitAnywhereIsFound) {
  const std::string text = SerializeArtifact(Tiny());
  for (size_t at = 0; at < text.size(); at += 997) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_FALSE(ParseArtifact(damaged).ok()) << "byte " << at;
  }
  std::string damaged = text;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_EQ(ParseArtifact(damaged).status().code(), absl::StatusCode::kDataLoss);
}

TEST(Artifact, AFileCutShortAnywhereIsRefused) {
  const std::string text = SerializeArtifact(Tiny());
  for (size_t size = 0; size < text.size(); size += 1009) EXPECT_FALSE(ParseArtifact(text.substr(0, size)).ok());
}

TEST(Artifact, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(ParseError(Rewritten([](std::string&) {})), "");
  EXPECT_EQ(ParseError(Rewritten([](std::string&) {}, "w8a8.stem.bias")), "tensor 'w8a8.stem.bias' is missing");
  EXPECT_EQ(ParseError(Rewritten([](std::string&) {}, "store.head.weight")), "tensor 'store.head.weight' is missing");
  EXPECT_EQ(ParseError(Rewritten([](std::string& h) {
              h = absl::StrReplaceAll(h, {{"\"w1a2\"", "\"w1a3\""}});
            })),
            "tensor 'w1a3.stem.scale' is missing");
  EXPECT_NE(ParseError(Rewritten([](std::string& h) {
              h = absl::StrReplaceAll(h, {{"\"version\"", "\"revision\""}});
            })),
            "");
  EXPECT_EQ(ParseError(Rewritten([](std::string& h) {
              h = absl::StrReplaceAll(h, {{"\"highest_code\":12", "\"highest_code\":300"}});
            })),
            "point 'w4a4f', node 'stem': highest activation code 300 is outside 1..255");
  EXPECT_EQ(ParseError(Rewritten([](std::string& h) {
              h = absl::StrReplaceAll(h, {{"\"step\":21", "\"step\":20"}});
            })),
            "point 'w4a4f', node 'stage1.block1.conv1': weight step 20 is neither odd nor a power of two");
  EXPECT_EQ(ParseError(Rewritten([](std::string& h) {
              h = absl::StrReplaceAll(h, {{"\"stride\":2", "\"stride\":3"}});
            })),
            "node 'stage2.pool': input of 3x3 is no multiple of pool size 2");
  SafetensorsWriter writer;
  writer.AddMetadata("anybit.format", "2");
  writer.AddMetadata("anybit.header", "{}");
  writer.AddMetadata("anybit.crc32", "00000000");
  EXPECT_EQ(ParseArtifact(writer.Finish()).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ParseError(SafetensorsWriter().Finish()), "metadata 'anybit.format' is missing");
}

TEST(ValidateArtifact, NamesWhatDoesNotFit) {
  EXPECT_EQ(ValidationError([](Artifact&) {}), "");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.version = 0; }), "network version 0 is below 1");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points.clear(); }), "0 operating points, expected 1..64");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points[1].info.name = "fp32"; }),
            "two operating points are named 'fp32'");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points[1].info.accuracy = 1.5; }),
            "point 'w8a8': accuracy 1.5 is outside 0..1");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points[1].info.accuracy = std::nan(""); }),
            "point 'w8a8': accuracy nan is outside 0..1");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points[1].info.weight_bits = 9; }),
            "point 'w8a8': bit-width 9 is not one of 1..8, 16 or 32");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points[1].info.weight_bits = 16; }),
            "point 'w8a8': 16 weight bits do not fit its precision");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points[0].info.weight_bits = 16; }),
            "point 'fp32': 32 activation bits, but 16 weight bits at full precision");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points[1].layers.pop_back(); }),
            "point 'w8a8': layer list has 6 values, expected 7");
  EXPECT_EQ(
      ValidationError([](Artifact& a) { a.points[1].layers[0].scale[2] = std::numeric_limits<float>::infinity(); }),
      "point 'w8a8', node 'stem': a scale or bias is not finite");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.points[1].layers[0].scale[2] = 0.1f; }),
            "point 'w8a8', node 'stem': scale 0.1 is not 48 times a number of 21 bits");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.store[0].scale[1] = 0; }),
            "store of 'stem': scale 0 is not a positive number");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.store[0].full.clear(); }),
            "store of 'stem' full precision has 0 values, expected 36");
  EXPECT_EQ(ValidationError([](Artifact& a) { a.store.pop_back(); }),
            "the store's layer list has 6 values, expected 7");
}

TEST(Describe, SaysWhatClientsNeed) {
  const NetworkDescription description = Describe(Tiny());
  EXPECT_EQ(description.name, "tiny");
  EXPECT_EQ(description.version, 3);
  EXPECT_EQ(description.input.name, "image");
  EXPECT_EQ(description.input.shape, (std::vector<int64_t>{8, 8, 1}));
  EXPECT_EQ(description.input.elements, 64);
  EXPECT_EQ(description.output.elements, 10);
  ASSERT_EQ(description.points.size(), 6u);
  EXPECT_EQ(description.points[2].name, "w4a4f");
  EXPECT_EQ(description.points[2].weight_bits, 4);
}

}  // namespace
}  // namespace anybit::model
