#include "model/kernels/cuda/conv_plan.h"

#include "model/kernels/cuda/item_bodies.h"

namespace anybit::model::cuda {
namespace {

Operand OperandOf(int architecture, Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kNibbles64:
    case Algorithm::kNibbles128:
    case Algorithm::kCutlassNibbles: return Operand::kNibbles;
    case Algorithm::kBits: return *BitsOperand(architecture);
    case Algorithm::kFloats: return Operand::kFloats;
    case Algorithm::kBfloat16Of64:
    case Algorithm::kBfloat16Of128: return Operand::kBfloat16;
    default: return Operand::kBytes;
  }
}

bool IsWinograd(Algorithm algorithm) {
  return algorithm == Algorithm::kWinograd2x2 || algorithm == Algorithm::kWinograd2x4 ||
         algorithm == Algorithm::kWinograd4x4;
}
bool IsCutlass(Algorithm algorithm) {
  return algorithm == Algorithm::kCutlassBytes || algorithm == Algorithm::kCutlassNibbles;
}
int TileRows(Algorithm algorithm) { return algorithm == Algorithm::kWinograd4x4 ? 4 : 2; }
int TileCols(Algorithm algorithm) { return algorithm == Algorithm::kWinograd2x2 ? 2 : 4; }

bool IsPacked(Operand operand) { return operand != Operand::kBytes && operand != Operand::kFloats; }

// Of bits; otherwise 1.
int PlanesOf(Operand operand, const ConvProblem& problem) {
  return operand == Operand::kBitsAnd || operand == Operand::kBitsXor ? (problem.highest_input > 1 ? 2 : 1) : 1;
}

// Words of one pixel and plane. Nibbles fill chunks.
int PlaneWords(Operand operand, const ConvProblem& problem) {
  const int64_t words = CeilDivide(problem.in_stored, CodesPerWord(operand));
  return static_cast<int>(operand == Operand::kNibbles ? RoundUpTo(words, 4) : words);
}

// The parts of a panel, without pointers.
std::vector<PanelCall> PanelParts(int architecture, Algorithm algorithm, const ConvProblem& problem) {
  const ConvGeometry& g = problem.geometry;
  PanelCall part{.codes = problem.codes, .outputs = g.outputs, .channels = g.in_channels, .taps = g.kernel * g.kernel};
  std::vector<PanelCall> parts;
  if (algorithm == Algorithm::kDepthwise) {
    if (problem.full_precision) return parts;
    part.kind = PanelKind::kDepthwise;
    part.channels = 1;
    part.stored = g.out_stored;
    parts.push_back(part);
  } else if (IsWinograd(algorithm)) {
    part.kind = PanelKind::kWinograd;
    part.tile_rows = TileRows(algorithm);
    part.tile_cols = TileCols(algorithm);
    part.highest_input = problem.highest_input;
    parts.push_back(part);
    part.kind = PanelKind::kWinogradInit;
    parts.push_back(part);
  } else {
    part.kind = IsCutlass(algorithm) ? PanelKind::kFilter : PanelKind::kDirect;
    part.stored = g.out_stored;
    part.operand = OperandOf(architecture, algorithm);
    part.plane_words = PlaneWords(part.operand, problem);
    part.bfloat16 = problem.bfloat16;
    parts.push_back(part);
    if (part.operand == Operand::kBitsXor) {
      part.kind = PanelKind::kOnes;
      part.planes = PlanesOf(part.operand, problem);
      parts.push_back(part);
    }
  }
  for (PanelCall& each : parts) each.items = PanelItems(each);
  return parts;
}

int64_t BytesOf(const PanelCall& part) { return RoundUpTo(part.items * PanelItemBytes(part.kind), kDeviceAlignment); }

}  // namespace

int64_t PanelBytes(int architecture, Algorithm algorithm, const ConvProblem& problem) {
  int64_t bytes = 0;
  for (const PanelCall& part : PanelParts(architecture, algorithm, problem)) bytes += BytesOf(part);
  return bytes;
}

int64_t WorkspaceBytes(int architecture, Algorithm algorithm, const ConvProblem& problem, int64_t images) {
  if (IsWinograd(algorithm) || algorithm == Algorithm::kDepthwise) return 0;
  const Operand operand = OperandOf(architecture, algorithm);
  if (!IsPacked(operand)) return 0;
  const ConvGeometry& g = problem.geometry;
  return images * g.in_height * g.in_width * PlanesOf(operand, problem) * PlaneWords(operand, problem) * 4;
}

std::vector<KernelCall> PanelCalls(int architecture, Algorithm algorithm, const ConvProblem& problem,
                                   const int8_t* store, const float* full, uint8_t* panel) {
  std::vector<KernelCall> calls;
  for (PanelCall part : PanelParts(architecture, algorithm, problem)) {
    part.store = store;
    part.full = full;
    part.out = panel;
    panel += BytesOf(part);
    calls.emplace_back(part);
  }
  return calls;
}

std::vector<KernelCall> ConvCalls(int architecture, Algorithm algorithm, const ConvProblem& problem, int64_t images,
                                  const ConvOperands& operands) {
  ConvGeometry geometry = problem.geometry;
  geometry.images = images;
  const auto* in = static_cast<const uint32_t*>(operands.in);
  const std::vector<PanelCall> parts = PanelParts(architecture, algorithm, problem);
  const auto* second_part =
      parts.size() < 2 ? nullptr : reinterpret_cast<const int32_t*>(operands.panel + BytesOf(parts[0]));
  if (algorithm == Algorithm::kDepthwise) {
    return {DepthwiseCall{.geometry = geometry,
                          .floats = problem.full_precision,
                          .in = in,
                          .weights = reinterpret_cast<const int8_t*>(operands.panel),
                          .float_weights = operands.full,
                          .epilogue = operands.epilogue,
                          .out = operands.out}};
  }
  const auto* panel = reinterpret_cast<const uint32_t*>(operands.panel);
  if (IsWinograd(algorithm)) {
    return {WinogradCall{.geometry = geometry,
                         .tile_rows = TileRows(algorithm),
                         .tile_cols = TileCols(algorithm),
                         .highest_input = problem.highest_input,
                         .in_stored = problem.in_stored,
                         .in = in,
                         .weights = panel,
                         .init = second_part,
                         .epilogue = operands.epilogue,
                         .out = operands.out}};
  }
  const Operand operand = OperandOf(architecture, algorithm);
  std::vector<KernelCall> calls;
  if (IsPacked(operand)) {
    auto* packed = reinterpret_cast<uint32_t*>(operands.workspace);
    calls.emplace_back(PackCall{.pixels = images * geometry.in_height * geometry.in_width,
                                .stored = problem.in_stored,
                                .operand = operand,
                                .planes = PlanesOf(operand, problem),
                                .plane_words = PlaneWords(operand, problem),
                                .in = operands.in,
                                .out = packed});
    in = packed;
  }
  if (IsCutlass(algorithm)) {
    calls.emplace_back(CutlassConvCall{.geometry = geometry,
                                       .operand = operand,
                                       .architecture = architecture,
                                       .in_stored = PlaneWords(operand, problem) * CodesPerWord(operand),
                                       .in = in,
                                       .weights = panel,
                                       .epilogue = operands.epilogue,
                                       .out = operands.out});
    return calls;
  }
  const bool tall = algorithm == Algorithm::kBytes128 || algorithm == Algorithm::kNibbles128 ||
                    algorithm == Algorithm::kBfloat16Of128;
  calls.emplace_back(ConvCall{.geometry = geometry,
                              .operand = operand,
                              .tile_rows = tall ? 128 : 64,
                              .planes = PlanesOf(operand, problem),
                              .plane_words = PlaneWords(operand, problem),
                              .in = in,
                              .weights = panel,
                              .ones = second_part,
                              .epilogue = operands.epilogue,
                              .out = operands.out});
  return calls;
}

}  // namespace anybit::model::cuda
