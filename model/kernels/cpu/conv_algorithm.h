// The ways to compute a convolution. All give the same codes; they differ in speed and in the weights and codes for
// which they are exact.
//
// An algorithm is named by the kernels that it uses, so a new operand or a new Winograd tile is one more value here and
// one more row of the table in conv_algorithm.cc:
//   const ConvAlgorithm algorithm = WinogradConvolution{WinogradKind::kWords4x4};
//   NameOf(algorithm);  // "winograd_words_4x4"
#ifndef ANYBIT_MODEL_KERNELS_CPU_CONV_ALGORITHM_H_
#define ANYBIT_MODEL_KERNELS_CPU_CONV_ALGORITHM_H_

#include <optional>
#include <span>
#include <variant>

#include "absl/strings/string_view.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// One product for each weight and output. Words are always exact. Signs take weights -1 and +1 on codes of one or two
// bits. Floats are for full precision, where they also compute depthwise layers; bfloats for points of bfloat16.
struct DirectConvolution {
  Operand operand{};
  friend constexpr bool operator==(const DirectConvolution&, const DirectConvolution&) = default;
};

// Byte products on tiles, where the instruction set has them; always exact. `packed`: weights of at most 4 bits are
// read in that form, which is faster where they come from beyond the caches.
struct TileConvolution {
  bool packed = false;
  friend constexpr bool operator==(const TileConvolution&, const TileConvolution&) = default;
};

// Products of bfloat16 numbers on tiles, summed in floats. Of bfloat16 points they are the products of the definition.
// `split` is for floats of 32 bits: each is the sum of three bfloat16 numbers, and six of their nine products make the
// sum at least as accurate as one fused multiply-add a product does.
struct FloatTileConvolution {
  bool split = false;
  friend constexpr bool operator==(const FloatTileConvolution&, const FloatTileConvolution&) = default;
};

// Takes all quantized depthwise layers, and only those; always exact.
struct DepthwiseConvolution {
  friend constexpr bool operator==(const DepthwiseConvolution&, const DepthwiseConvolution&) = default;
};

// Winograd's algorithm on integers (winograd.h). `tiles`: its products of bytes run on tiles, as in TileConvolution.
struct WinogradConvolution {
  WinogradKind kind{};
  bool tiles = false;
  friend constexpr bool operator==(const WinogradConvolution&, const WinogradConvolution&) = default;
};

using ConvAlgorithm =
    std::variant<DirectConvolution, TileConvolution, FloatTileConvolution, DepthwiseConvolution, WinogradConvolution>;

// Every algorithm once, in a fixed order.
std::span<const ConvAlgorithm> AllConvAlgorithms();

// "direct_words", "winograd_words_4x4", ...: stable, since profile files hold these names.
const char* NameOf(const ConvAlgorithm& algorithm);
std::optional<ConvAlgorithm> ConvAlgorithmByName(absl::string_view name);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_CONV_ALGORITHM_H_
