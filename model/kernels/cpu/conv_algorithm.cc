#include "model/kernels/cpu/conv_algorithm.h"

#include <iterator>

namespace anybit::model {
namespace {

constexpr ConvAlgorithm kAlgorithms[] = {
    DirectConvolution{Operand::kFloats},
    DirectConvolution{Operand::kBfloats},
    DirectConvolution{Operand::kWords},
    DirectConvolution{Operand::kBytes},
    DirectConvolution{Operand::kSigns},
    TileConvolution{},
    TileConvolution{.packed = true},
    FloatTileConvolution{},
    FloatTileConvolution{.split = true},
    DepthwiseConvolution{},
    WinogradConvolution{WinogradKind::kWords4x4},
    WinogradConvolution{WinogradKind::kWords2x4},
    WinogradConvolution{WinogradKind::kBytes1x4},
    WinogradConvolution{WinogradKind::kBytes2x2},
    WinogradConvolution{WinogradKind::kBytes2x4},
    WinogradConvolution{WinogradKind::kBytes4x4},
    WinogradConvolution{WinogradKind::kWordsStride2_4x4},
    WinogradConvolution{WinogradKind::kBytesStride2_2x2},
    WinogradConvolution{WinogradKind::kBytesStride2_4x4},
    WinogradConvolution{.kind = WinogradKind::kBytes1x4, .tiles = true},
    WinogradConvolution{.kind = WinogradKind::kBytes2x2, .tiles = true},
    WinogradConvolution{.kind = WinogradKind::kBytes2x4, .tiles = true},
    WinogradConvolution{.kind = WinogradKind::kBytes4x4, .tiles = true},
    WinogradConvolution{.kind = WinogradKind::kBytesStride2_2x2, .tiles = true},
    WinogradConvolution{.kind = WinogradKind::kBytesStride2_4x4, .tiles = true},
};
constexpr int kByteKinds = 6;
static_assert(std::size(kAlgorithms) == kOperands + 5 + kWinogradKinds + kByteKinds,
              "an operand or a Winograd kind is missing");

// The compiler warns here where an enumerator has no name.
constexpr const char* Name(Operand operand) {
  switch (operand) {
    case Operand::kBytes: return "direct_bytes";
    case Operand::kWords: return "direct_words";
    case Operand::kSigns: return "direct_signs";
    case Operand::kFloats: return "direct_floats";
    case Operand::kBfloats: return "direct_bfloats";
  }
  return "";
}

constexpr const char* Name(WinogradKind kind) {
  switch (kind) {
    case WinogradKind::kWords4x4: return "winograd_words_4x4";
    case WinogradKind::kWords2x4: return "winograd_words_2x4";
    case WinogradKind::kBytes1x4: return "winograd_bytes_1x4";
    case WinogradKind::kBytes2x2: return "winograd_bytes_2x2";
    case WinogradKind::kBytes2x4: return "winograd_bytes_2x4";
    case WinogradKind::kBytes4x4: return "winograd_bytes_4x4";
    case WinogradKind::kWordsStride2_4x4: return "winograd_words_stride2_4x4";
    case WinogradKind::kBytesStride2_2x2: return "winograd_bytes_stride2_2x2";
    case WinogradKind::kBytesStride2_4x4: return "winograd_bytes_stride2_4x4";
  }
  return "";
}

constexpr const char* NameOnTiles(WinogradKind kind) {
  switch (kind) {
    case WinogradKind::kBytes1x4: return "winograd_tiles_1x4";
    case WinogradKind::kBytes2x2: return "winograd_tiles_2x2";
    case WinogradKind::kBytes2x4: return "winograd_tiles_2x4";
    case WinogradKind::kBytes4x4: return "winograd_tiles_4x4";
    case WinogradKind::kBytesStride2_2x2: return "winograd_tiles_stride2_2x2";
    case WinogradKind::kBytesStride2_4x4: return "winograd_tiles_stride2_4x4";
    case WinogradKind::kWords4x4:
    case WinogradKind::kWords2x4:
    case WinogradKind::kWordsStride2_4x4: return "";  // not of bytes
  }
  return "";
}

}  // namespace

std::span<const ConvAlgorithm> AllConvAlgorithms() { return kAlgorithms; }

const char* NameOf(const ConvAlgorithm& algorithm) {
  if (const auto* direct = std::get_if<DirectConvolution>(&algorithm)) return Name(direct->operand);
  if (const auto* winograd = std::get_if<WinogradConvolution>(&algorithm)) {
    return winograd->tiles ? NameOnTiles(winograd->kind) : Name(winograd->kind);
  }
  if (const auto* tiles = std::get_if<TileConvolution>(&algorithm)) {
    return tiles->packed ? "direct_packed_tiles" : "direct_tiles";
  }
  if (const auto* tiles = std::get_if<FloatTileConvolution>(&algorithm)) {
    return tiles->split ? "direct_split_float_tiles" : "direct_bfloat_tiles";
  }
  return "depthwise";
}

std::optional<ConvAlgorithm> ConvAlgorithmByName(absl::string_view name) {
  for (const ConvAlgorithm& algorithm : kAlgorithms) {
    if (name == NameOf(algorithm)) return algorithm;
  }
  return std::nullopt;
}

}  // namespace anybit::model
