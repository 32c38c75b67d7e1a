// Keeps the panels of operating points within a memory limit, and packs them when they are asked for.
//
// The limit bounds the bytes that the cache keeps between batches. The point used last is kept whatever its size. Two
// things may exceed the limit for a time: panels that are being packed, and dropped panels that a batch still runs
// with.
//
//   PanelCache cache(points, /*limit=*/1 << 30, [&](PointId point) { return Pack(point); });
//   const std::shared_ptr<const PointPanels> panels = cache.Get(point);  // held for the whole batch
//
// All methods: any thread.
#ifndef ANYBIT_MODEL_ENGINE_PANEL_CACHE_H_
#define ANYBIT_MODEL_ENGINE_PANEL_CACHE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/point_id.h"
#include "model/engine/point_panels.h"

namespace anybit::model {

class PanelCache {
 public:
  // Never null. Called on a thread that called Get, once at a time.
  using Pack = std::function<std::shared_ptr<const PointPanels>(PointId)>;

  // For points 0..points-1. limit: bytes, >= 0.
  PanelCache(int points, int64_t limit, Pack pack);

  // The panels of `point`; they stay valid while the caller holds them. Where the cache has them, this allocates
  // nothing and waits for no packing. Otherwise it packs them on the calling thread, after any packing that goes on,
  // and then drops the least recently used points until the limit holds.
  std::shared_ptr<const PointPanels> Get(PointId point);

  // Calls `change`, which alters the result of packing, while nothing is being packed. If it succeeds, drops the panels
  // of all points, or of one. Returns the Status of `change`.
  absl::Status Change(const std::function<absl::Status()>& change);
  absl::Status Change(PointId point, const std::function<absl::Status()>& change);

  // Whether it has the panels of `point` now. Not a use of them.
  bool Has(PointId point) const;

  // Bytes of the panels that the cache keeps now.
  int64_t bytes() const;

 private:
  struct Entry {
    std::shared_ptr<const PointPanels> panels;  // null: not packed, or dropped
    int64_t last_use = 0;                       // number of the Get call
  };

  std::shared_ptr<const PointPanels> Find(PointId point);
  void Drop(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropLeastRecentlyUsed(PointId keep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t limit_;
  const Pack pack_;

  absl::Mutex packing_;  // held while panels are packed: never do two threads pack the same ones
  mutable absl::Mutex mutex_ ABSL_ACQUIRED_AFTER(packing_);
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // by point
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_PANEL_CACHE_H_
