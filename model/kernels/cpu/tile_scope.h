// A thread runs layers that may use tiles only while it holds one of these.
#ifndef ANYBIT_MODEL_KERNELS_CPU_TILE_SCOPE_H_
#define ANYBIT_MODEL_KERNELS_CPU_TILE_SCOPE_H_

#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// Does nothing for a table without tiles. One at a time on a thread, made and destroyed there.
class TileScope {
 public:
  explicit TileScope(const KernelTable& kernels) : tiles_(kernels.tiles) {
    if (tiles_ != nullptr) tiles_->configure();
  }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
  ~TileScope() {
    if (tiles_ != nullptr) tiles_->release();
  }

 private:
  const TileKernels* const tiles_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_TILE_SCOPE_H_
