// The most urgent requests, sorted into kinds by the points that they accept: read once for a slot, since several
// levels and batches ask for it.
//
// A level is an index of Outlook::points(). At a level a request runs at that point, or, if it does not accept it, at
// the most valuable point that it accepts.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_QUEUE_SCAN_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_QUEUE_SCAN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "scheduler/latency/point_ranking.h"
#include "scheduler/point_table.h"
#include "scheduler/policies/anybit/anybit_options.h"
#include "scheduler/policies/anybit/look_ahead.h"
#include "scheduler/policies/anybit/outlook.h"
#include "scheduler/policies/anybit/plan_state.h"

namespace anybit::scheduler {

class QueueScan {
 public:
  // Requests that accept the same points.
  struct Kind {
    PointSet allowed;
    const RankedPoint* most_valuable = nullptr;
    double least_cost = 0;  // of a row, ns
    int rows = 0;
    int rows_with_deadline = 0;
  };

  explicit QueueScan(const Outlook& outlook) : outlook_(outlook) {}

  // Reads the requests that `state` has left, from the most urgent on.
  void Read(const PlanState& state);

  // The scanned positions are [from(), to()).
  int from() const { return from_; }
  int to() const { return to_; }
  std::span<const Kind> kinds() const { return std::span(kinds_).first(static_cast<size_t>(kind_count_)); }
  // Of scanned positions.
  bool IsTaken(int position) const { return KindIndex(position) == kTaken; }
  size_t KindIndex(int position) const { return kind_of_[static_cast<size_t>(position - from_)]; }
  const Kind& KindOf(int position) const { return kinds_[KindIndex(position)]; }

  // Whether a scanned request is late even if all run at their cheapest points: then no level passes.
  bool is_too_long() const { return is_too_long_; }
  const FloorsShare& floors() const { return floors_; }
  bool IsAcceptedByAny(const RankedPoint& point) const;

  // The point of a kind at a level.
  const RankedPoint& PointAt(size_t level, const Kind& kind) const {
    const RankedPoint& point = outlook_.points()[level];
    return kind.allowed.Contains(point.id) ? point : *kind.most_valuable;
  }
  // The point with the most rows to run at a level. Small groups can wait to become larger, as long as none of their
  // requests becomes late.
  const RankedPoint& PointOfMost(size_t level) const;

  // [index of a point]: rows of the largest batch of the requests whose most valuable point it is.
  std::array<int, kMaxPoints> RowsByGroup() const;

 private:
  static constexpr uint8_t kTaken = 254;
  static constexpr uint8_t kUnread = 255;

  // Kinds are found by Fibonacci hashing. A search mispredicts a branch for almost every request: it made decisions
  // beside 1,500 waiting requests of five kinds take 4.6 us instead of 2.3 (scheduler_benchmark).
  static constexpr int kHashBits = 6;
  static size_t HashBucket(PointSet allowed) { return (allowed.mask() * 0x9e3779b97f4a7c15) >> (64 - kHashBits); }

  void MarkTaken(const Decision& decision);
  // Adds the request to its kind, a new one if need be; false if there are too many kinds.
  bool ReadOne(int position);
  // The index in kinds_; kind_count_ if it is a new kind.
  int Find(PointSet allowed) const;
  void FindFloors();
  double LeastCost(PointSet allowed) const;

  const Outlook& outlook_;
  int from_ = 0;
  int to_ = 0;
  bool is_too_long_ = false;
  FloorsShare floors_;
  int kind_count_ = 0;
  std::array<Kind, AnybitOptions::kMaxKinds> kinds_;
  std::array<uint8_t, 1 << kHashBits> last_of_bucket_{};  // index in kinds_ of the last kind added with this hash
  // [position - from_]: index in kinds_, or kTaken.
  std::array<uint8_t, AnybitOptions::kMaxScannedRequests> kind_of_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_QUEUE_SCAN_H_
