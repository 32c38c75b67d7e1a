#include "model/packed_network.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/quant/code_range.h"
#include "model/quant/requantize.h"

namespace anybit {
namespace {

constexpr int64_t kWordBits = 64;

int64_t WordsFor(int64_t channels) { return (channels + kWordBits - 1) / kWordBits; }
int64_t FloatGroups(int64_t outputs) { return (outputs + kFloatGroup - 1) / kFloatGroup; }

enum class PanelKind : uint8_t { kCodes, kSigns, kFloats };

// The weights of one layer at one point, in the layout of the kernel that will read them.
struct Panel {
  PanelKind kind{};
  int planes = 0;                 // of kSigns: bits of the input's codes, 1 or 2
  std::vector<int16_t> codes;     // [out][depth]
  std::vector<uint64_t> signs;    // [out][kernel * kernel][WordsFor(channels)]
  std::vector<float> floats;      // [groups][depth][kFloatGroup]
};

// What one slot works in: sized once for max_rows, never grown.
class PackedScratch : public AdaptiveNetwork::Scratch {
 public:
  PackedScratch(const NetworkPlan& plan, int max_rows, bool with_floats) : max_rows(max_rows) {
    int64_t depth = 0, outputs = 0, words = 0, plane_words = 0;
    for (const PlannedNode& node : plan.nodes) {
      codes.emplace_back(max_rows * node.out.elements());
      floats.emplace_back(with_floats ? max_rows * node.out.elements() : 0);
      if (node.kind != NodeKind::kConv) continue;
      depth = std::max(depth, node.depth);
      outputs = std::max(outputs, FloatGroups(node.out.channels) * kFloatGroup);
      words = std::max(words, 2 * node.kernel * node.kernel * WordsFor(node.in.channels));
      plane_words = std::max(plane_words, 2 * node.in.height * node.in.width * WordsFor(node.in.channels));
    }
    code_patches.resize(kPatchGroup * depth);
    float_patches.resize(with_floats ? kPatchGroup * depth : 0);
    bit_patches.resize(kPatchGroup * words);
    planes.resize(plane_words);
    sums.resize(kPatchGroup * outputs);
    float_sums.resize(with_floats ? kPatchGroup * outputs : 0);
    if (with_floats) float_input.resize(max_rows * plan.input.elements());
    pool_sums.resize(plan.nodes.back().depth);
  }

  const int max_rows;
  std::vector<std::vector<uint8_t>> codes;   // per node, [max_rows] of its output; of a global pool unused
  std::vector<std::vector<float>> floats;    // likewise, at full precision
  std::vector<float> float_input;
  std::vector<int16_t> code_patches;
  std::vector<float> float_patches;
  std::vector<uint64_t> bit_patches;
  std::vector<uint64_t> planes;              // bits of one row's input codes: [plane][pixel][word]
  std::vector<int32_t> sums;
  std::vector<float> float_sums;
  std::vector<int32_t> pool_sums;            // one row's input of the linear node
};

// Copies the windows of output pixels first .. first + count - 1 of one row, zeros where a window leaves the map.
// `in` has `channels` values a pixel; each patch is kernel * kernel * channels values.
template <typename In, typename Out>
void GatherPatches(const PlannedNode& node, const In* in, int64_t channels, int64_t first, int count, Out* patches) {
  for (int i = 0; i < count; ++i) {
    const int64_t y = (first + i) / node.out.width * node.stride - node.padding;
    const int64_t x = (first + i) % node.out.width * node.stride - node.padding;
    for (int64_t ky = 0; ky < node.kernel; ++ky) {
      for (int64_t kx = 0; kx < node.kernel; ++kx, patches += channels) {
        const bool inside = y + ky >= 0 && y + ky < node.in.height && x + kx >= 0 && x + kx < node.in.width;
        if (!inside) {
          std::fill_n(patches, channels, Out{0});
          continue;
        }
        const In* pixel = in + ((y + ky) * node.in.width + x + kx) * channels;
        for (int64_t c = 0; c < channels; ++c) patches[c] = static_cast<Out>(pixel[c]);
      }
    }
  }
}

// One row's codes as bits, [plane][pixel][word].
void SplitPlanes(const FeatureShape& shape, const uint8_t* codes, int planes, uint64_t* out) {
  const int64_t words = WordsFor(shape.channels), pixels = shape.height * shape.width;
  for (int plane = 0; plane < planes; ++plane) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel, out += words) {
      std::fill_n(out, words, 0);
      for (int64_t c = 0; c < shape.channels; ++c) {
        out[c / kWordBits] |= static_cast<uint64_t>(codes[pixel * shape.channels + c] >> plane & 1) << c % kWordBits;
      }
    }
  }
}

template <typename T>
void MaxPoolRow(const PlannedNode& node, const T* in, T* out) {
  const int64_t channels = node.in.channels;
  for (int64_t y = 0; y < node.out.height; ++y) {
    for (int64_t x = 0; x < node.out.width; ++x, out += channels) {
      const T* corner = in + (y * node.pool * node.in.width + x * node.pool) * channels;
      std::copy_n(corner, channels, out);
      for (int64_t dy = 0; dy < node.pool; ++dy) {
        for (int64_t dx = 0; dx < node.pool; ++dx) {
          const T* pixel = corner + (dy * node.in.width + dx) * channels;
          for (int64_t c = 0; c < channels; ++c) out[c] = std::max(out[c], pixel[c]);
        }
      }
    }
  }
}

class PackedNetworkImpl : public PackedNetwork {
 public:
  PackedNetworkImpl(const Artifact& artifact, const KernelTable& kernels)
      : kernels_(kernels), plan_(*PlanNetwork(artifact.spec)), description_(Describe(artifact)), points_(artifact.points) {
    for (size_t p = 0; p < points_.size(); ++p) {
      panels_.emplace_back();
      has_full_precision_ |= points_[p].full_precision;
      for (size_t layer = 0; layer < plan_.layers.size(); ++layer) {
        panels_[p].push_back(MakePanel(artifact, static_cast<int>(p), static_cast<int>(layer)));
      }
    }
  }

  const NetworkDescription& description() const override { return description_; }

  std::unique_ptr<Scratch> MakeScratch(int max_rows) const override {
    return std::make_unique<PackedScratch>(plan_, max_rows, has_full_precision_);
  }

  absl::Status Run(int point, std::span<const uint8_t> input, std::span<float> output, Scratch& scratch) const override {
    auto& s = static_cast<PackedScratch&>(scratch);
    const absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), output.size());
    if (!rows.ok()) return rows.status();
    if (*rows > s.max_rows) {
      return absl::InvalidArgumentError(absl::StrCat("batch of ", *rows, " exceeds the scratch's ", s.max_rows));
    }
    if (points_[point].full_precision) {
      RunFloats(point, input, *rows, output, s);
    } else {
      RunCodes(point, input, *rows, output, s);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<LayerTrace> Trace(int point, std::span<const uint8_t> input) const override {
    const int64_t rows = static_cast<int64_t>(input.size()) / plan_.input.elements();
    PackedScratch scratch(plan_, static_cast<int>(std::max<int64_t>(rows, 1)), has_full_precision_);
    std::vector<float> logits(rows * plan_.classes());
    if (absl::Status status = Run(point, input, logits, scratch); !status.ok()) return status;
    LayerTrace trace;
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlannedNode& node = plan_.nodes[i];
      NodeTrace& out = trace.emplace_back();
      out.node = node.name;
      if (node.kind == NodeKind::kLinear) continue;
      if (node.kind == NodeKind::kGlobalPool) {
        for (int64_t row = 0; row < rows; ++row) {
          std::vector<int32_t> sums(node.in.channels);
          const uint8_t* in = node.input == kNetworkInput ? input.data() : scratch.codes[node.input].data();
          SumPixels(node, in + row * node.in.elements(), sums.data());
          out.codes.insert(out.codes.end(), sums.begin(), sums.end());
        }
      } else {
        out.codes.assign(scratch.codes[i].begin(), scratch.codes[i].begin() + rows * node.out.elements());
      }
    }
    return trace;
  }

 private:
  // The highest code that the tensor `node` reads can hold at `point`.
  int HighestInput(int point, int index) const {
    if (index == kNetworkInput) return 255;
    const PlannedNode& node = plan_.nodes[index];
    if (node.kind == NodeKind::kMaxPool) return HighestInput(point, node.input);
    return points_[point].layers[node.layer].highest_code;
  }

  Panel MakePanel(const Artifact& artifact, int point, int layer) const {
    const PlannedNode& node = plan_.layer(layer);
    const LayerStore& store = artifact.store[layer];
    const LayerEpilogue& epilogue = points_[point].layers[layer];
    Panel panel;
    if (points_[point].full_precision) {
      panel.kind = PanelKind::kFloats;
      panel.floats.resize(FloatGroups(node.out.channels) * kFloatGroup * node.depth);
      for (int64_t i = 0; i < node.weights(); ++i) {
        const int64_t o = i / node.depth, d = i % node.depth;
        panel.floats[(o / kFloatGroup * node.depth + d) * kFloatGroup + o % kFloatGroup] = store.full[i];
      }
      return panel;
    }
    const int highest = node.kind == NodeKind::kConv ? HighestInput(point, node.input) : 255;
    if (epilogue.weights.sign && highest <= 3) {
      panel.kind = PanelKind::kSigns;
      panel.planes = highest <= 1 ? 1 : 2;
      const int64_t words = WordsFor(node.in.channels), channels = node.in.channels;
      panel.signs.resize(node.weights() / channels * words);
      for (int64_t i = 0; i < node.weights(); ++i) {
        const int64_t c = i % channels;
        const bool positive = ChildCode(store.q8[i], epilogue.weights) > 0;
        panel.signs[i / channels * words + c / kWordBits] |= static_cast<uint64_t>(positive) << c % kWordBits;
      }
      return panel;
    }
    panel.kind = PanelKind::kCodes;
    for (int8_t q8 : store.q8) panel.codes.push_back(static_cast<int16_t>(ChildCode(q8, epilogue.weights)));
    return panel;
  }

  // Sums of a group of output pixels of one row into scratch.sums.
  void SumGroup(const PlannedNode& node, const Panel& panel, const uint8_t* in, int64_t first, int count,
                PackedScratch& scratch) const {
    if (panel.kind == PanelKind::kCodes) {
      GatherPatches(node, in, node.in.channels, first, count, scratch.code_patches.data());
      kernels_.multiply_codes(scratch.code_patches.data(), count, panel.codes.data(), node.out.channels, node.depth,
                              scratch.sums.data());
      return;
    }
    const int64_t words = WordsFor(node.in.channels), windows = int64_t{node.kernel} * node.kernel;
    const int64_t plane_words = node.in.height * node.in.width * words;
    uint64_t* patch = scratch.bit_patches.data();
    for (int i = 0; i < count; ++i) {
      for (int plane = 0; plane < panel.planes; ++plane, patch += windows * words) {
        GatherPatches(node, scratch.planes.data() + plane * plane_words, words, first + i, 1, patch);
      }
    }
    kernels_.multiply_signs(scratch.bit_patches.data(), count, panel.planes, panel.signs.data(), node.out.channels, windows * words,
                            scratch.sums.data());
  }

  void ConvRow(const PlannedNode& node, int point, const uint8_t* in, const uint8_t* residual, uint8_t* out,
               PackedScratch& scratch) const {
    const LayerEpilogue& layer = points_[point].layers[node.layer];
    const Panel& panel = panels_[point][node.layer];
    const int64_t channels = node.out.channels, pixels = node.out.height * node.out.width;
    if (panel.kind == PanelKind::kSigns) SplitPlanes(node.in, in, panel.planes, scratch.planes.data());
    for (int64_t first = 0; first < pixels; first += kPatchGroup) {
      const int count = static_cast<int>(std::min<int64_t>(kPatchGroup, pixels - first));
      SumGroup(node, panel, in, first, count, scratch);
      for (int i = 0; i < count; ++i) {
        const int64_t at = (first + i) * channels;
        FinishPixel(layer, channels, scratch.sums.data() + i * channels, residual == nullptr ? nullptr : residual + at,
                    out + at);
      }
    }
  }

  static void FinishPixel(const LayerEpilogue& layer, int64_t channels, const int32_t* sums, const uint8_t* residual,
                          uint8_t* out) {
    const float *scale = layer.scale.data(), *bias = layer.bias.data();
    if (residual == nullptr) {
      for (int64_t o = 0; o < channels; ++o) out[o] = Requantize(sums[o], scale[o], bias[o], layer.highest_code);
      return;
    }
    for (int64_t o = 0; o < channels; ++o) {
      out[o] = RequantizeWithResidual(sums[o], scale[o], bias[o], residual[o], layer.residual_scale, layer.highest_code);
    }
  }

  static void SumPixels(const PlannedNode& pool, const uint8_t* in, int32_t* sums) {
    std::fill_n(sums, pool.in.channels, 0);
    for (int64_t i = 0; i < pool.in.height * pool.in.width; ++i) {
      for (int64_t c = 0; c < pool.in.channels; ++c) sums[c] += in[i * pool.in.channels + c];
    }
  }

  void LinearRow(const PlannedNode& node, int point, const int32_t* in, float* logits) const {
    const LayerEpilogue& layer = points_[point].layers[node.layer];
    const int16_t* w = panels_[point][node.layer].codes.data();
    for (int64_t o = 0; o < node.out.channels; ++o, w += node.depth) {
      int32_t sum = 0;
      for (int64_t d = 0; d < node.depth; ++d) sum += in[d] * w[d];
      logits[o] = Dequantize(sum, layer.scale[o], layer.bias[o]);
    }
  }

  void RunCodes(int point, std::span<const uint8_t> input, int64_t rows, std::span<float> output, PackedScratch& s) const {
    const auto value = [&](int index, int64_t row) -> const uint8_t* {
      if (index == kNetworkInput) return input.data() + row * plan_.input.elements();
      return s.codes[index].data() + row * plan_.nodes[index].out.elements();
    };
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlannedNode& node = plan_.nodes[i];
      for (int64_t row = 0; row < rows; ++row) {
        uint8_t* out = s.codes[i].data() + row * node.out.elements();
        switch (node.kind) {
          case NodeKind::kConv:
            ConvRow(node, point, value(node.input, row), node.has_residual ? value(node.residual, row) : nullptr, out, s);
            break;
          case NodeKind::kMaxPool: MaxPoolRow(node, value(node.input, row), out); break;
          case NodeKind::kGlobalPool: break;  // sums exceed a byte: the linear node, its only reader, makes them
          case NodeKind::kLinear: {
            const PlannedNode* pool = plan_.PoolReadBy(node);
            if (pool != nullptr) {
              SumPixels(*pool, value(pool->input, row), s.pool_sums.data());
            } else {
              std::copy_n(value(node.input, row), node.depth, s.pool_sums.data());
            }
            LinearRow(node, point, s.pool_sums.data(), output.data() + row * plan_.classes());
            break;
          }
        }
      }
    }
  }

  void ConvRowFloats(const PlannedNode& node, int point, const float* in, const float* residual, float* out,
                     PackedScratch& scratch) const {
    const LayerEpilogue& layer = points_[point].layers[node.layer];
    const int64_t channels = node.out.channels, groups = FloatGroups(channels);
    const int64_t pixels = node.out.height * node.out.width;
    for (int64_t first = 0; first < pixels; first += kPatchGroup) {
      const int count = static_cast<int>(std::min<int64_t>(kPatchGroup, pixels - first));
      GatherPatches(node, in, node.in.channels, first, count, scratch.float_patches.data());
      kernels_.multiply_floats(scratch.float_patches.data(), count, panels_[point][node.layer].floats.data(), groups,
                               node.depth, scratch.float_sums.data());
      for (int i = 0; i < count; ++i) {
        const float* sums = scratch.float_sums.data() + i * groups * kFloatGroup;
        for (int64_t o = 0; o < channels; ++o) {
          const int64_t at = (first + i) * channels + o;
          float y = sums[o] * layer.scale[o] + layer.bias[o];
          if (residual != nullptr) y += residual[at] * layer.residual_scale;
          out[at] = std::max(y, 0.0f);
        }
      }
    }
  }

  void LinearRowFloats(const PlannedNode& node, int point, const float* in, float* logits) const {
    const LayerEpilogue& layer = points_[point].layers[node.layer];
    const float* w = panels_[point][node.layer].floats.data();
    for (int64_t o = 0; o < node.out.channels; ++o) {
      float sum = 0;
      for (int64_t d = 0; d < node.depth; ++d) {
        sum += in[d] * w[(o / kFloatGroup * node.depth + d) * kFloatGroup + o % kFloatGroup];
      }
      logits[o] = sum * layer.scale[o] + layer.bias[o];
    }
  }

  void RunFloats(int point, std::span<const uint8_t> input, int64_t rows, std::span<float> output, PackedScratch& s) const {
    std::copy(input.begin(), input.end(), s.float_input.begin());
    const auto value = [&](int index, int64_t row) -> const float* {
      if (index == kNetworkInput) return s.float_input.data() + row * plan_.input.elements();
      return s.floats[index].data() + row * plan_.nodes[index].out.elements();
    };
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlannedNode& node = plan_.nodes[i];
      for (int64_t row = 0; row < rows; ++row) {
        float* out = s.floats[i].data() + row * node.out.elements();
        const float* in = value(node.input, row);
        switch (node.kind) {
          case NodeKind::kConv:
            ConvRowFloats(node, point, in, node.has_residual ? value(node.residual, row) : nullptr, out, s);
            break;
          case NodeKind::kMaxPool: MaxPoolRow(node, in, out); break;
          case NodeKind::kGlobalPool:
            std::fill_n(out, node.out.channels, 0.0f);
            for (int64_t j = 0; j < node.in.elements(); ++j) out[j % node.out.channels] += in[j];
            break;
          case NodeKind::kLinear: LinearRowFloats(node, point, in, output.data() + row * plan_.classes()); break;
        }
      }
    }
  }

  const KernelTable& kernels_;
  const NetworkPlan plan_;
  const NetworkDescription description_;
  const std::vector<ArtifactPoint> points_;
  std::vector<std::vector<Panel>> panels_;  // [point][layer]
  bool has_full_precision_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PackedNetwork>> PackedNetwork::Create(const Artifact& artifact, const KernelTable& kernels) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  return std::make_unique<PackedNetworkImpl>(artifact, kernels);
}

}  // namespace anybit
