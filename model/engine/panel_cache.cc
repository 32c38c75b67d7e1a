#include "model/engine/panel_cache.h"

#include <utility>

namespace anybit::model {

PanelCache::PanelCache(int points, int64_t limit, Pack pack)
    : limit_(limit), pack_(std::move(pack)), entries_(points) {}

std::shared_ptr<const PointPanels> PanelCache::Get(PointId point) {
  if (std::shared_ptr<const PointPanels> found = Find(point); found != nullptr) return found;
  absl::MutexLock packing(&packing_);
  // Another thread may have packed them meanwhile.
  if (std::shared_ptr<const PointPanels> found = Find(point); found != nullptr) return found;
  std::shared_ptr<const PointPanels> panels = pack_(point);
  absl::MutexLock lock(&mutex_);
  entries_[ToIndex(point)].panels = panels;
  bytes_ += panels->bytes;
  DropLeastRecentlyUsed(point);
  return panels;
}

std::shared_ptr<const PointPanels> PanelCache::Find(PointId point) {
  absl::MutexLock lock(&mutex_);
  Entry& entry = entries_[ToIndex(point)];
  entry.last_use = ++uses_;
  return entry.panels;
}

absl::Status PanelCache::Change(const std::function<absl::Status()>& change) {
  absl::MutexLock packing(&packing_);
  if (absl::Status status = change(); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  for (Entry& entry : entries_) Drop(entry);
  return absl::OkStatus();
}

absl::Status PanelCache::Change(PointId point, const std::function<absl::Status()>& change) {
  absl::MutexLock packing(&packing_);
  if (absl::Status status = change(); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  Drop(entries_[ToIndex(point)]);
  return absl::OkStatus();
}

bool PanelCache::Has(PointId point) const {
  absl::MutexLock lock(&mutex_);
  return entries_[static_cast<size_t>(ToIndex(point))].panels != nullptr;
}

int64_t PanelCache::bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

void PanelCache::Drop(Entry& entry) {
  if (entry.panels == nullptr) return;
  bytes_ -= entry.panels->bytes;
  entry.panels = nullptr;
}

void PanelCache::DropLeastRecentlyUsed(PointId keep) {
  while (bytes_ > limit_) {
    Entry* oldest = nullptr;
    for (Entry& entry : entries_) {
      if (&entry == &entries_[ToIndex(keep)] || entry.panels == nullptr) continue;
      if (oldest == nullptr || entry.last_use < oldest->last_use) oldest = &entry;
    }
    if (oldest == nullptr) return;
    Drop(*oldest);
  }
}

}  // namespace anybit::model
