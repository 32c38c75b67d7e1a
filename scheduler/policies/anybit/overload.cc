#include "scheduler/policies/anybit/overload.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/time.h"
#include "scheduler/decision.h"
#include "scheduler/request.h"

namespace anybit::scheduler {
namespace {

constexpr double kRoundingError = 1e-9;  // of accuracy

// The first position from `begin` on that has slack for `latency`; all behind it have, too.
int FirstWithSlack(const Outlook& outlook, int begin, double latency) {
  const auto waiting = outlook.view().waiting.begin();
  const MonoTime now = outlook.view().now;
  const auto first =
      std::partition_point(waiting + begin, waiting + outlook.with_deadline(),
                           [=](const PendingRequest& r) { return Nanoseconds(r.run_by - now) < latency; });
  return static_cast<int>(first - waiting);
}

// See MostProfitableGroup.
class GroupChooser {
 public:
  GroupChooser(const Outlook& outlook, const QueueScan& scan, PlanState& state, CandidateBuilder& builder)
      : outlook_(outlook), scan_(scan), state_(state), builder_(builder) {}

  PricedBatch Choose();

 private:
  struct Group {
    const RankedPoint* point = nullptr;
    double weight = 0;
    int rows = 0;  // of the request that the group goes first by
  };

  // The groups of the weightiest and then most urgent request with a floor and of that without, which can still be in
  // time; the group that goes first is first.
  std::array<Group, 2> ByUrgency() const;
  // The largest batch of a group, of up to `max_rows` rows, and the latency that all of it have the slack for. It is
  // not empty: in the end it has the place for the request that the group goes first by.
  std::pair<Candidate, double> LargestOf(const Group& group, int max_rows);
  // Adds requests of the group with slack for `latency`, the weightiest first.
  void AddByWeight(const RankedPoint& point, double latency, int max_rows, Candidate& batch);
  // Adds those of one weight, in order of urgency; of any weight if weights do not vary.
  void AddOfWeight(const RankedPoint& point, double latency, double weight, int max_rows, Candidate& batch);
  // The largest weight below `below` among the scanned; 0 if there is none.
  double NextWeight(double below) const;

  const Outlook& outlook_;
  const QueueScan& scan_;
  PlanState& state_;
  CandidateBuilder& builder_;
};

PricedBatch GroupChooser::Choose() {
  const std::array<int, kMaxPoints> max_rows = scan_.RowsByGroup();
  const std::array<Group, 2> groups = ByUrgency();
  std::vector<int>& members = state_.decision.members;
  const size_t scratch = members.size();
  for (const bool must_be_worth_it : {true, false}) {
    for (const Group& group : groups) {
      if (group.point == nullptr) continue;
      const RankedPoint& point = *group.point;
      auto [batch, latency] = LargestOf(group, max_rows[static_cast<size_t>(ToIndex(point.id))]);
      if (batch.count == 0) continue;
      const bool worth_it = outlook_.Typical(point, batch.rows) <=
                            outlook_.options().max_row_cost_ratio * batch.rows * outlook_.TypicalCost(point.cost);
      const bool weightier = group.weight > groups[1].weight;
      if (worth_it || weightier || !must_be_worth_it) {
        if (outlook_.has_aged()) builder_.MakeRoomForAged(point, latency, batch);
        return {.point = &point, .batch = batch};
      }
      members.resize(scratch);
    }
  }
  PricedBatch alone{.point = &outlook_.FastestFor(outlook_.At(state_.begin))};
  builder_.Add(state_.begin, alone.batch);
  return alone;
}

std::array<GroupChooser::Group, 2> GroupChooser::ByUrgency() const {
  std::array<Group, 2> first;  // of those that accept every point, of the others
  const bool weights_vary = outlook_.view().weights_vary;
  for (int i = scan_.from(); i < scan_.to(); ++i) {
    if (!weights_vary && first[0].point != nullptr && first[1].point != nullptr) break;
    if (scan_.IsTaken(i)) continue;
    const PendingRequest& request = outlook_.At(i);
    Group& group = first[request.allowed.size() < static_cast<int>(outlook_.points().size())];
    const double weight = outlook_.Weight(i);
    if (weight <= group.weight) continue;
    const RankedPoint* point = scan_.KindOf(i).most_valuable;
    if (outlook_.Slack(i) >= outlook_.Predict(*point, request.rows)) {
      group = {.point = point, .weight = weight, .rows = request.rows};
    }
  }
  const SchedulerView& view = outlook_.view();
  const bool floors_first = first[0].weight != first[1].weight ? first[1].weight > first[0].weight
                                                               : view.attained_with_floor < view.attained_without_floor;
  if (floors_first) std::swap(first[0], first[1]);
  return first;
}

std::pair<Candidate, double> GroupChooser::LargestOf(const Group& group, int max_rows) {
  const size_t scratch = state_.decision.members.size();
  for (int target = std::max(max_rows, group.rows);; target = std::max(target / 2, group.rows)) {
    Candidate batch;
    const double latency = outlook_.Predict(*group.point, target);
    AddByWeight(*group.point, latency, target, batch);
    while (batch.count > 0 && outlook_.Predict(*group.point, batch.rows) > latency) builder_.RemoveLast(batch);
    // Enough for the size that was assumed; or the least size, which one request has the slack for.
    if (batch.rows * 2 > target || target == group.rows) return {batch, latency};
    state_.decision.members.resize(scratch);
  }
}

void GroupChooser::AddByWeight(const RankedPoint& point, double latency, int max_rows, Candidate& batch) {
  if (!outlook_.view().weights_vary) {
    if (batch.rows < max_rows) AddOfWeight(point, latency, /*weight=*/1, max_rows, batch);
    return;
  }
  for (double weight = kForever; batch.rows < max_rows;) {
    weight = NextWeight(weight);
    if (weight == 0) return;
    AddOfWeight(point, latency, weight, max_rows, batch);
  }
}

double GroupChooser::NextWeight(double below) const {
  double next = 0;
  for (int i = scan_.from(); i < scan_.to(); ++i) {
    const double weight = outlook_.Weight(i);
    if (weight < below && weight > next) next = weight;
  }
  return next;
}

void GroupChooser::AddOfWeight(const RankedPoint& point, double latency, double weight, int max_rows,
                               Candidate& batch) {
  const bool weights_vary = outlook_.view().weights_vary;
  for (int i = scan_.from(); i < scan_.to() && batch.rows < max_rows; ++i) {
    if (scan_.IsTaken(i) || scan_.KindOf(i).most_valuable != &point) continue;
    if ((weights_vary && outlook_.Weight(i) != weight) || outlook_.Slack(i) < latency) continue;
    if (batch.rows + outlook_.At(i).rows <= max_rows) builder_.Add(i, batch);
  }
}

}  // namespace

bool IsTooLong(const Outlook& outlook, const PlanState& state) {
  const int left = outlook.with_deadline() - state.begin;
  if (left <= outlook.max_rows()) return false;
  const double cost = outlook.TypicalCost(outlook.ranking().least_cost());
  for (const int count : {left, left / 2, left / 4}) {
    if (cost * count > state.free.Room(outlook.Slack(state.begin + count - 1))) return true;
  }
  return false;
}

PricedBatch MostProfitable(const Outlook& outlook, const PlanState& state) {
  const std::vector<size_t>& by_value = outlook.ranking().by_value();
  const double most_value = outlook.points()[by_value.front()].value * 1000 / outlook.view().latency.typical_permille;
  double best_score = -kForever;
  PricedBatch best;
  for (const size_t p : by_value) {
    const RankedPoint& point = outlook.points()[p];
    // A row of it earns at most this beyond the worth of its time; only the most valuable point loses nothing.
    const double best_per_row = point.accuracy - most_value * outlook.TypicalCost(point.cost);
    for (int rows = std::min(outlook.with_deadline() - state.begin, outlook.max_rows()); rows > 0; --rows) {
      if (std::min(best_per_row, 0.0) <= best_score + kRoundingError) break;
      const double score = point.accuracy * rows - most_value * outlook.Typical(point, rows);
      if (score <= best_score) continue;
      const int first = FirstWithSlack(outlook, state.begin, outlook.Predict(point, rows));
      if (outlook.with_deadline() - first < rows) continue;
      best_score = score;
      best = {.point = &point, .batch = {.first = first, .count = rows, .rows = rows}};
    }
  }
  return best;
}

PricedBatch MostProfitableGroup(const Outlook& outlook, const QueueScan& scan, PlanState& state,
                                CandidateBuilder& builder) {
  return GroupChooser(outlook, scan, state, builder).Choose();
}

}  // namespace anybit::scheduler
