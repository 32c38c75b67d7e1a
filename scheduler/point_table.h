// Operating points as the scheduler knows them: an id, an accuracy, and sets of them.
//
// It does not know bits, networks or files. Floors on accuracy, floors on bits and a pinned point all become the same
// thing at the edge, a PointSet of the points a request accepts, so policies have one rule to obey.
#ifndef ANYBIT_SCHEDULER_POINT_TABLE_H_
#define ANYBIT_SCHEDULER_POINT_TABLE_H_

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "base/point_id.h"

namespace anybit::scheduler {

inline constexpr int kMaxPoints = 64;

class PointSet {
 public:
  constexpr PointSet() = default;
  static constexpr PointSet Of(PointId id) { return PointSet(uint64_t{1} << ToIndex(id)); }
  // The first `count` points; 0 <= count <= kMaxPoints.
  static constexpr PointSet First(int count) {
    return PointSet(count >= kMaxPoints ? ~uint64_t{0} : (uint64_t{1} << count) - 1);
  }
  constexpr bool Contains(PointId id) const { return (mask_ >> ToIndex(id)) & 1; }
  constexpr bool empty() const { return mask_ == 0; }
  constexpr int size() const { return std::popcount(mask_); }
  constexpr PointSet With(PointId id) const { return PointSet(mask_ | Of(id).mask_); }
  constexpr uint64_t mask() const { return mask_; }
  friend constexpr PointSet operator&(PointSet a, PointSet b) { return PointSet(a.mask_ & b.mask_); }
  friend constexpr bool operator==(PointSet a, PointSet b) = default;

 private:
  explicit constexpr PointSet(uint64_t mask) : mask_(mask) {}
  uint64_t mask_ = 0;
};

struct PointInfo {
  std::string name;     // as in the artifact: "fp32", "w8a8", "w4a4f"
  double accuracy = 0;  // measured top-1 as a fraction, 0..1
};

// At most kMaxPoints entries; PointId indexes it.
using PointTable = std::vector<PointInfo>;

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POINT_TABLE_H_
