#include "model/engine/interpreter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "model/engine/kernel_choices.h"
#include "model/engine/sum_digits.h"
#include "model/format/bfloat16.h"
#include "model/format/requantize.h"
#include "model/format/zero_points.h"
#include "model/kernels/cpu/map_passes.h"
#include "model/kernels/cpu/pack_conv.h"
#include "model/kernels/cpu/tile_scope.h"

namespace anybit::model {
namespace {

// Bytes, or floats, that a kernel's last step may read beyond a map: one vector.
constexpr int64_t kReadPadding = 64;

// Rows of the linear node that read its weights together: enough to make little of what the weights cost.
constexpr int64_t kLinearRows = 8;
}  // namespace

Interpreter::Interpreter(const NetworkPlan& plan, const ActivationPlan& activations, const KernelTable& kernels,
                         bool full_precision, int64_t near_bytes)
    : plan_(plan),
      activations_(activations),
      kernels_(kernels),
      full_precision_(full_precision),
      code_groups_(GroupNodes(plan, activations, sizeof(uint8_t), near_bytes)),
      float_groups_(GroupNodes(plan, activations, sizeof(float), near_bytes)) {}

int64_t Interpreter::bytes_per_row() const {
  int64_t elements = activations_.input.image_stride();
  for (int64_t buffer : activations_.elements) elements += buffer;
  const int64_t bytes_per_element = full_precision_ ? 1 + sizeof(float) : 1;
  return plan_.frames * elements * bytes_per_element;
}

InterpreterMemory Interpreter::MakeMemory(int rows) const {
  const int64_t images = rows * plan_.frames;
  const auto bytes = [&](int64_t elements) { return images * elements + kReadPadding; };
  const auto float_bytes = [&](int64_t elements) { return full_precision_ ? bytes(elements) * sizeof(float) : 0; };
  int64_t workspace = 0;
  for (int layer : plan_.layers) {
    const PlannedNode& node = plan_.nodes[layer];
    if (node.kind != NodeKind::kConv || node.of_sums) continue;
    workspace = std::max(workspace, MaxWorkspaceBytes(kernels_, node, activations_.MapsOf(plan_, node)));
  }
  int64_t depth = plan_.nodes.back().depth;
  for (int layer : plan_.layers) {
    if (plan_.nodes[layer].of_sums) depth = std::max(depth, plan_.nodes[layer].depth);
  }
  const int64_t sums = depth + kLanes;  // kernels add whole blocks
  InterpreterMemory memory;
  memory.input = AlignedBuffer(bytes(activations_.input.image_stride()));
  if (full_precision_) memory.float_input = AlignedBuffer(float_bytes(activations_.input.image_stride()));
  for (int64_t elements : activations_.elements) {
    memory.codes.emplace_back(bytes(elements));
    memory.floats.emplace_back(float_bytes(elements));
  }
  const auto add_bands = [&](const NodeGroups& groups, int value_bytes,
                             std::vector<std::vector<AlignedBuffer>>& buffers) {
    for (const RowBands& bands : groups.bands) {
      std::vector<AlignedBuffer>& of_group = buffers.emplace_back();
      for (int node = bands.first; node + 1 < bands.end; ++node) {
        const int64_t values = bands.buffer_rows[node - bands.first] * activations_.maps[node].row_stride();
        of_group.emplace_back((values + kReadPadding) * value_bytes);
      }
    }
  };
  add_bands(code_groups_, sizeof(uint8_t), memory.code_bands);
  if (full_precision_) add_bands(float_groups_, sizeof(float), memory.float_bands);
  memory.workspace = AlignedBuffer(workspace);
  memory.pool_sums.resize(sums);
  memory.pool_words.resize(kLinearRows * kSumDigits * depth);
  for (int gate : plan_.gates) {
    const auto channels = static_cast<size_t>(plan_.nodes[gate].out.channels);
    memory.gate_factors.resize(std::max(memory.gate_factors.size(), channels));
  }
  if (full_precision_) memory.float_sums.resize(kLinearRows * sums);
  return memory;
}

void Interpreter::Run(const Rows& rows, InterpreterMemory& memory) const { RunParts(rows, memory, nullptr); }

void Interpreter::RunParts(const Rows& rows, InterpreterMemory& memory, const AfterNode& after_node) const {
  RunGroups(rows.panels->full_precision ? float_groups_ : code_groups_, rows, memory, after_node);
}

void Interpreter::RunNodeByNode(const Rows& rows, InterpreterMemory& memory, const AfterNode& after_node) const {
  RunGroups({.groups = {{.end = static_cast<int>(plan_.nodes.size()), .rows = kAllRows}}, .bands = {}}, rows, memory,
            after_node);
}

void Interpreter::RunGroups(const NodeGroups& groups, const Rows& rows, InterpreterMemory& memory,
                            const AfterNode& after_node) const {
  const TileScope scope(kernels_);
  const bool full_precision = rows.panels->full_precision;
  if (full_precision) {
    CopyInput<float>(rows, rows.panels->float_input_border, memory.float_input.as<float>());
  } else {
    CopyInput<uint8_t>(rows, rows.panels->input_border, memory.input.data());
  }
  int first_node = 0;
  for (const NodeGroup& group : groups.groups) {
    if (group.bands >= 0 && CanRunBands(groups.bands[group.bands], rows)) {
      const RowBands& bands = groups.bands[group.bands];
      for (int64_t row = 0; row < rows.count; ++row) {
        if (full_precision) {
          RunBands<float>(bands, rows, row, memory.float_bands[group.bands], memory, after_node);
        } else {
          RunBands<uint8_t>(bands, rows, row, memory.code_bands[group.bands], memory, after_node);
        }
      }
      first_node = group.end;
      continue;
    }
    for (int64_t first = 0; first < rows.count;) {
      const Part part{.first = first, .count = std::min(group.rows, rows.count - first)};
      for (int index = first_node; index < group.end; ++index) {
        const PlannedNode& node = plan_.nodes[index];
        if (full_precision) {
          RunNode<float>(node, index, rows, part, memory);
        } else {
          RunNode<uint8_t>(node, index, rows, part, memory);
        }
        if (after_node != nullptr) after_node(node, index);
      }
      first += part.count;
    }
    first_node = group.end;
  }
}

bool Interpreter::CanRunBands(const RowBands& bands, const Rows& rows) const {
  for (int index = bands.first; index < bands.end; ++index) {
    const PlannedNode& node = plan_.nodes[index];
    if (node.kind != NodeKind::kConv) continue;
    if (!rows.panels->layers[node.layer].conv[ChoiceIndex(1)]->TakesRows()) return false;
  }
  return true;
}

template <class T>
void Interpreter::RunBands(const RowBands& bands, const Rows& rows, int64_t row, std::vector<AlignedBuffer>& buffers,
                           InterpreterMemory& memory, const AfterNode& after_node) const {
  const auto values = [&](int tensor, int64_t image) -> const T* {
    if (bands.Holds(tensor)) return buffers[tensor - bands.first].template as<T>();
    return Values<T>(memory, tensor) + image * activations_.map(tensor).image_stride();
  };
  for (int64_t image = row * plan_.frames; image < (row + 1) * plan_.frames; ++image) {
    for (const BandStep& step : bands.steps) {
      const PlannedNode& node = plan_.nodes[step.node];
      const FeatureMap& map = activations_.maps[step.node];
      T* out = bands.Holds(step.node) ? buffers[step.node - bands.first].template as<T>()
                                      : Buffer<T>(memory, activations_.buffers[step.node]) + image * map.image_stride();
      if (step.move_rows > 0) {
        std::memmove(out, out + step.move_from * map.row_stride(), step.move_rows * map.row_stride() * sizeof(T));
      }
      std::fill_n(out + step.zero_from * map.row_stride(), step.zero_rows * map.row_stride(), T{});
      const ConvImages images{.in = values(node.input, image),
                              .residual = node.has_residual ? values(node.residual, image) : nullptr,
                              .out = out,
                              .count = 1,
                              .rows = step.rows};
      if (node.kind == NodeKind::kMaxPool) {
        RunMaxPool<T>(node, step.node, images);
      } else {
        rows.panels->layers[node.layer].conv[ChoiceIndex(1)]->Run(images, memory.workspace.data());
      }
      if (after_node != nullptr) after_node(node, step.node);
    }
  }
}

template <class T>
void Interpreter::CopyInput(const Rows& rows, std::span<const T> border, T* to) const {
  const FeatureMap& map = activations_.input;
  for (int64_t image = 0; image < rows.count * plan_.frames; ++image) {
    const uint8_t* from = rows.input + image * plan_.input.elements();
    if (!border.empty()) FillBorder(map, border, to + image * map.image_stride());
    for (int64_t y = 0; y < map.height; ++y) {
      T* line = to + image * map.image_stride() + map.at(y, 0);
      if (map.stored_channels == map.channels) {
        if constexpr (sizeof(T) == 1) {
          std::copy_n(from, map.width * map.channels, line);
        } else {
          kernels_.widen_to_floats(from, map.width * map.channels, line);
        }
        from += map.width * map.channels;
        continue;
      }
      for (int64_t x = 0; x < map.width; ++x, from += map.channels, line += map.stored_channels) {
        std::copy_n(from, map.channels, line);
      }
    }
  }
}

template <class T>
void Interpreter::RunNode(const PlannedNode& node, int index, const Rows& rows, const Part& part,
                          InterpreterMemory& memory) const {
  switch (node.kind) {
    case NodeKind::kConv:
      if (node.of_sums) {
        RunConvOfSums<T>(node, index, rows, part, memory);
      } else {
        rows.panels->layers[node.layer].conv[ChoiceIndex(static_cast<int>(part.count))]->Run(
            ImagesOf<T>(node, index, part, memory), memory.workspace.data());
      }
      Finish<T>(node, index, rows, part, memory);
      break;
    case NodeKind::kMaxPool:
      RunMaxPool<T>(node, index, ImagesOf<T>(node, index, part, memory));
      Finish<T>(node, index, rows, part, memory);
      break;
    case NodeKind::kGate:
      RunGate<T>(node, index, rows, part, memory);
      Finish<T>(node, index, rows, part, memory);
      break;
    case NodeKind::kGlobalPool: break;  // its readers compute the sums
    case NodeKind::kLinear: RunLinear(node, rows, memory); break;
  }
}

template <class T>
ConvImages Interpreter::ImagesOf(const PlannedNode& node, int index, const Part& part,
                                 InterpreterMemory& memory) const {
  const int64_t first = part.first * node.frames;
  const auto values = [&](int tensor) {
    return Values<T>(memory, tensor) + first * activations_.map(tensor).image_stride();
  };
  return {.in = values(node.input),
          .residual = node.has_residual ? values(node.residual) : nullptr,
          .out = Buffer<T>(memory, activations_.buffers[index]) + first * activations_.maps[index].image_stride(),
          .count = part.count * node.frames};
}

template <class T>
void Interpreter::RunMaxPool(const PlannedNode& node, int index, const ConvImages& images) const {
  const FeatureMap &from = activations_.map(node.input), &to = activations_.maps[index];
  const RowRange& rows = images.rows;
  const T* in = static_cast<const T*>(images.in);
  T* out = static_cast<T*>(images.out);
  const MaxPoolCall call{.out_height = rows.CountOf(to.height),
                         .out_width = to.width,
                         .channels = to.stored_channels,
                         .size = node.pool,
                         .stride = node.stride,
                         .in_row_stride = from.row_stride(),
                         .out_row_stride = to.row_stride()};
  for (int64_t image = 0; image < images.count; ++image) {
    const T* corner = in + image * from.image_stride() +
                      from.at(rows.first * node.stride - node.padding - rows.in_base, -node.padding);
    T* first = out + image * to.image_stride() + to.at(rows.first - rows.out_base, 0);
    if constexpr (sizeof(T) == 1) {
      kernels_.max_pool(call, corner, first);
    } else {
      kernels_.max_pool_floats(call, corner, first);
    }
  }
}

void Interpreter::GatherSums(const PlannedNode* pool, const FeatureMap& map, const uint8_t* image,
                             std::vector<int32_t>& sums) const {
  if (pool == nullptr) {
    for (int64_t i = 0; i < map.height * map.width; ++i) {
      std::copy_n(image + map.at(i / map.width, i % map.width), map.channels, sums.data() + i * map.channels);
    }
    return;
  }
  std::fill(sums.begin(), sums.end(), 0);
  for (int64_t frame = 0; frame < plan_.frames; ++frame, image += map.image_stride()) {
    for (int64_t y = 0; y < map.height; ++y) {
      kernels_.add_pixels(image + map.at(y, 0), map.width, map.stored_channels, sums.data());
    }
  }
}

void Interpreter::GatherSums(const PlannedNode* pool, const FeatureMap& map, const float* image,
                             std::span<float> sums) const {
  const auto pixel = [&](int64_t i) { return image + map.at(i / map.width, i % map.width); };
  const int64_t pixels = map.height * map.width;
  if (pool == nullptr) {
    for (int64_t i = 0; i < pixels; ++i) std::copy_n(pixel(i), map.channels, sums.data() + i * map.channels);
    return;
  }
  std::fill(sums.begin(), sums.end(), 0.0f);
  for (int64_t frame = 0; frame < plan_.frames; ++frame, image += map.image_stride()) {
    for (int64_t i = 0; i < pixels; ++i) {
      for (int64_t c = 0; c < map.channels; ++c) sums[c] += pixel(i)[c];
    }
  }
}

void Interpreter::RunLinear(const PlannedNode& node, const Rows& rows, InterpreterMemory& memory) const {
  for (int64_t first = 0; first < rows.count; first += kLinearRows) {
    const int64_t count = std::min(kLinearRows, rows.count - first);
    if (rows.panels->full_precision) {
      RunLinearFloats(node, rows, first, count, memory);
    } else {
      RunLinearRows(node, rows, first, count, memory);
    }
  }
}

void Interpreter::RunLinearRows(const PlannedNode& node, const Rows& rows, int64_t first, int64_t count,
                                InterpreterMemory& memory) const {
  const LayerPanels& layer = rows.panels->layers[node.layer];
  const int source = plan_.SourceOf(node);
  const FeatureMap& map = activations_.map(source);
  const uint8_t* in = Values<uint8_t>(memory, source) + first * plan_.frames * map.image_stride();
  std::array<int, kLinearRows> digits{};
  const auto words = [&](int64_t row, int digit) {
    return memory.pool_words.data() + (row * kSumDigits + digit) * node.depth;
  };
  for (int64_t row = 0; row < count; ++row) {
    GatherSums(plan_.PoolReadBy(node), map, in + row * plan_.frames * map.image_stride(), memory.pool_sums);
    digits[row] = SplitSums(std::span(memory.pool_sums).first(node.depth), words(row, 0));
  }
  for (int64_t o = 0; o < node.out.channels; ++o) {
    for (int64_t row = 0; row < count; ++row) {
      const int64_t sum = SumOf(layer, node.depth, o, words(row, 0), digits[row]);
      rows.output[(first + row) * plan_.classes() + o] =
          Dequantize(sum, layer.epilogue->scale[o], layer.epilogue->bias[o]);
    }
  }
}

void Interpreter::RunLinearFloats(const PlannedNode& node, const Rows& rows, int64_t first, int64_t count,
                                  InterpreterMemory& memory) const {
  const LayerPanels& layer = rows.panels->layers[node.layer];
  const int source = plan_.SourceOf(node);
  const FeatureMap& map = activations_.map(source);
  const float* in = Values<float>(memory, source) + first * plan_.frames * map.image_stride();
  const size_t stride = memory.pool_sums.size();
  for (int64_t row = 0; row < count; ++row) {
    const std::span<float> sums = std::span(memory.float_sums).subspan(row * stride, stride);
    GatherSums(plan_.PoolReadBy(node), map, in + row * plan_.frames * map.image_stride(), sums);
    if (rows.panels->bfloat16) std::transform(sums.begin(), sums.end(), sums.begin(), RoundToBfloat16);
  }
  for (int64_t o = 0; o < node.out.channels; ++o) {
    const float* weights = layer.floats.data() + o * node.depth;
    for (int64_t row = 0; row < count; ++row) {
      const float sum = kernels_.dot_floats(memory.float_sums.data() + row * stride, weights, node.depth);
      rows.output[(first + row) * plan_.classes() + o] = sum * layer.epilogue->scale[o] + layer.epilogue->bias[o];
    }
  }
}

void Interpreter::Record(const PlannedNode& node, int index, int64_t rows, const InterpreterMemory& memory,
                         LayerTrace& trace) const {
  NodeTrace& out = trace.emplace_back();
  out.node = node.name;
  if (node.kind == NodeKind::kLinear) return;
  const bool sums = node.kind == NodeKind::kGlobalPool;
  const int source = sums ? node.input : index;
  const FeatureMap& map = activations_.map(source);
  const uint8_t* values = Values<uint8_t>(memory, source);
  size_t first = 0;
  for (int64_t image = 0; image < rows * plan_.frames; ++image) {
    if (sums && image % plan_.frames == 0) {
      first = out.codes.size();
      out.codes.resize(first + map.channels);
    }
    for (int64_t i = 0; i < map.height * map.width; ++i) {
      const uint8_t* pixel = values + image * map.image_stride() + map.at(i / map.width, i % map.width);
      for (int64_t c = 0; c < map.channels; ++c) {
        if (sums) {
          out.codes[first + c] += pixel[c];
        } else {
          out.codes.push_back(pixel[c]);
        }
      }
    }
  }
}

}  // namespace anybit::model
