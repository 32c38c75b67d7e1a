// Which instance of a body runs a call: one list for the device and the host.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_DISPATCH_H_
#define ANYBIT_MODEL_KERNELS_CUDA_DISPATCH_H_

#include "model/kernels/cuda/conv_body.h"
#include "model/kernels/cuda/winograd_body.h"

namespace anybit::model::cuda {

// Calls run.operator()<Tile, words of a copy>() for the tile of `call`.
template <class Run>
auto ForConvTile(const ConvCall& call, const Run& run) {
  const bool chunks = CopyWordsOf(call) == 4, tall = call.tile_rows == 128;
  switch (call.operand) {
    case Operand::kNibbles:
      if (tall) return run.template operator()<ConvTile<Operand::kNibbles, 128, 4>, 4>();
      return run.template operator()<ConvTile<Operand::kNibbles, 64, 4>, 4>();
    case Operand::kBitsAnd:
      if (chunks) return run.template operator()<ConvTile<Operand::kBitsAnd, 64, 4>, 4>();
      return run.template operator()<ConvTile<Operand::kBitsAnd, 64, 1>, 1>();
    case Operand::kBitsXor:
      if (chunks) return run.template operator()<ConvTile<Operand::kBitsXor, 64, 4>, 4>();
      return run.template operator()<ConvTile<Operand::kBitsXor, 64, 1>, 1>();
    case Operand::kFloats:
      if (chunks) return run.template operator()<ConvTile<Operand::kFloats, 64, 4>, 4>();
      return run.template operator()<ConvTile<Operand::kFloats, 64, 1>, 1>();
    case Operand::kBfloat16:
      if (!chunks) return run.template operator()<ConvTile<Operand::kBfloat16, 64, 1>, 1>();
      if (tall) return run.template operator()<ConvTile<Operand::kBfloat16, 128, 4>, 4>();
      return run.template operator()<ConvTile<Operand::kBfloat16, 64, 4>, 4>();
    case Operand::kBytes: break;
  }
  if (!chunks) return run.template operator()<ConvTile<Operand::kBytes, 64, 1>, 1>();
  if (tall) return run.template operator()<ConvTile<Operand::kBytes, 128, 4>, 4>();
  return run.template operator()<ConvTile<Operand::kBytes, 64, 4>, 4>();
}

// Calls run.operator()<Tile>().
template <class Run>
auto ForWinogradTile(const WinogradCall& call, const Run& run) {
  if (call.tile_rows == 4) return run.template operator()<WinogradTile<4, 4>>();
  if (call.tile_cols == 4) return run.template operator()<WinogradTile<2, 4>>();
  return run.template operator()<WinogradTile<2, 2>>();
}

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_DISPATCH_H_
