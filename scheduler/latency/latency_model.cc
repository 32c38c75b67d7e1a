#include "scheduler/latency/latency_model.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "scheduler/latency/permille.h"

namespace anybit::scheduler {
namespace {

// The points are ranked anew when the additive part has changed by this part of itself and by this part of the shortest
// batch.
constexpr int64_t kRankedAdditivePart = 4;
constexpr int64_t kRankedShortestPart = 50;

Duration ShortestBatch(const Profile& profile) {
  Duration shortest = Duration::max();
  for (const std::vector<Duration>& of_point : profile.latency) shortest = std::min(shortest, of_point.front());
  return shortest;
}

size_t WindowSize(const LatencyModelOptions& options) {
  return static_cast<size_t>(std::max({options.window, options.regime, 1}));
}

}  // namespace

LatencyModel::LatencyModel(Profile profile, LatencyModelOptions options)
    : profile_(std::move(profile)),
      options_(options),
      window_(WindowSize(options)),
      own_(profile_.points.size(), window_.capacity(), static_cast<size_t>(options.regime), options.own_memory),
      ratio_(window_.capacity(), static_cast<size_t>(options.regime)),
      additive_(window_.capacity()),
      regime_change_(window_.capacity(), options.regime),
      shortest_(ShortestBatch(profile_)),
      corrected_(profile_),
      row_cost_(profile_.points.size()) {
  table_.points = profile_.points;
  table_.max_batch = profile_.max_batch;
  FillProfiled();
  table_.predicted = table_.typical = table_.least = table_.profiled;
  table_.row_cost = row_cost_;
  Publish();
}

void LatencyModel::FillProfiled() {
  table_.profiled.clear();
  for (const std::vector<Duration>& of_point : profile_.Of(at_rest_)) {
    table_.profiled.insert(table_.profiled.end(), of_point.begin(), of_point.end());
  }
}

void LatencyModel::AtRest(bool at_rest) {
  if (at_rest == at_rest_) return;
  at_rest_ = at_rest;
  if (profile_.rested.empty()) return;
  FillProfiled();
  ranking_is_stale_ = true;
  Publish();
}

void LatencyModel::Observe(PointId point, int rows, Duration compute, MonoTime at, Duration overhead, bool warm,
                           bool rested) {
  observed_ = std::min(observed_ + 1, kProfileVotes);
  const Duration profiled = profile_.At(point, rows, rested);
  window_.Push({.point = point,
                .rows = rows,
                .profiled = profiled,
                .ratio_permille = RatioPermille(compute, profiled),
                .compute = std::clamp(compute, Duration::zero(), kMaxTime),
                .overhead = std::clamp(overhead, Duration::zero(), kMaxTime),
                .warm = warm,
                .at = at});
  DropOld(at);
  if (own_.MoveAnchor(window_)) Correct();  // the common part is of the new anchor now
  // The machine must be known before a point can be told apart from it.
  if (window_.size() > static_cast<size_t>(options_.regime)) own_.Observe(window_);
  regime_change_.DropFormer(window_, own_, ratio_, additive_);
  Correct();
  Remember(at);
  Publish();
}

void LatencyModel::ObserveSuccess(PointId point, int rows, Duration compute, MonoTime at, Duration overhead,
                                  bool rested) {
  AssumeProfileAt(RatioPermille(compute, profile_.At(point, rows, rested)));
  Observe(point, rows, compute, at, overhead, /*warm=*/true, rested);
}

void LatencyModel::AssumeProfileAt(int permille) {
  window_.Clear();
  own_.Clear();
  assumed_permille_ = permille;
  Correct();
  Publish();
}

void LatencyModel::Forget(MonoTime now) {
  DropOld(now);
  Publish();
}

void LatencyModel::DropOld(MonoTime now) {
  const bool forgot = own_.Forget(now);
  size_t old = 0;
  while (old < window_.size() && SaturatingAdd(window_[old].at, options_.memory) < now) ++old;
  window_.DropOldest(old);
  if (forgot || old > 0) Correct();
}

void LatencyModel::Correct() {
  ratio_.Correct(window_, own_, assumed_permille_);
  additive_.Correct(window_, own_, ratio_);
  RankAdditive();
}

void LatencyModel::RankAdditive() {
  const Duration ranked =
      std::min(Duration(additive_.typical().count() * kUnityPermille / ratio_.typical_permille()), kMaxTime);
  const Duration change(std::abs((ranked - ranked_additive_).count()));
  if (change <= ranked_additive_ / kRankedAdditivePart || change <= shortest_ / kRankedShortestPart) return;
  ranked_additive_ = ranked;
  ranking_is_stale_ = true;
}

void LatencyModel::Remember(MonoTime now) {
  const int typical = ratio_.typical_permille();
  if (typical > best_permille_ && SaturatingAdd(best_at_, options_.hope_memory) >= now) return;
  best_permille_ = typical;
  best_at_ = now;
}

void LatencyModel::Publish() {
  ranking_is_stale_ |= own_.TakeChanged();
  if (ranking_is_stale_) RankPoints();
  const Numbers numbers(ratio_.typical_permille(), ratio_.upper_permille(), additive_.typical(), additive_.upper());
  if (ranking_is_stale_ || numbers != published_) FillTable();
  ranking_is_stale_ = false;
  published_ = numbers;
  table_.untried = own_.untried();
  table_.measured = observed_ > 0;
  table_.typical_permille = ratio_.typical_permille();
  table_.scatter_permille = ratio_.scatter_permille();
  table_.upper_permille = ratio_.upper_permille();
  table_.hoped_permille = std::min(best_permille_, kUnityPermille);
  table_.upper_additive = additive_.upper();
}

void LatencyModel::RankPoints() {
  for (size_t p = 0; p < corrected_.latency.size(); ++p) {
    const int own = own_.permille(ToPointId(static_cast<int>(p)));
    row_cost_[p] = Duration::max();
    for (size_t b = 0; b < corrected_.latency[p].size(); ++b) {
      Duration& corrected = corrected_.latency[p][b];
      corrected = Scaled(profile_.Of(at_rest_)[p][b], own) + ranked_additive_;
      row_cost_[p] = std::min(row_cost_[p], corrected / static_cast<int64_t>(b + 1));
    }
  }
  table_.ranking.Rank(corrected_);
}

void LatencyModel::FillTable() {
  const int typical_permille = ratio_.typical_permille();
  const int least_permille = std::max(typical_permille - ratio_.scatter_permille(), 1);
  const int upper_permille = ratio_.upper_permille();
  for (size_t p = 0; p < profile_.points.size(); ++p) {
    const PointId point = ToPointId(static_cast<int>(p));
    for (int rows = 1; rows <= profile_.max_batch; ++rows) {
      const size_t i = table_.Index(point, rows);
      const Duration profiled = table_.profiled[i];
      const auto corrected = [&](int permille) { return own_.Corrected(point, profiled, permille); };
      table_.predicted[i] = std::min(corrected(upper_permille) + additive_.upper(), kMaxTime);
      table_.typical[i] = std::min(corrected(typical_permille) + additive_.typical(), kMaxTime);
      table_.least[i] = corrected(least_permille);
    }
    table_.row_cost[p] = Scaled(row_cost_[p], typical_permille);
  }
}

}  // namespace anybit::scheduler
