#include "model/train/convert/joint_rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace anybit::model::train {
namespace {

constexpr int kHighest = 127;
constexpr int kCodes = 2 * kHighest + 1;
constexpr double kSmallestScale = 1e-8;

// The children of each store code -127..127, for all weights of a layer.
class ChildTables {
 public:
  explicit ChildTables(std::span<const Child> children) {
    for (const Child& child : children) {
      Table& table = tables_.emplace_back();
      for (int i = 0; i < kCodes; ++i) table.codes[i] = ChildCode(i - kHighest, child.range);
      table.sign = child.range.sign;
      table.lowest = table.codes.front();
      for (int code = table.lowest; code <= table.codes.back(); ++code) {
        const auto [first, last] = std::equal_range(table.codes.begin(), table.codes.end(), code);
        table.intervals.push_back({static_cast<int>(first - table.codes.begin()) - kHighest,
                                   static_cast<int>(last - table.codes.begin()) - 1 - kHighest});
      }
    }
  }

  int At(size_t child, int q8) const { return tables_[child].codes[q8 + kHighest]; }

  // The lowest and the highest store code whose child is nearest to weight / unit. Children are monotone in the store's
  // code, so the squared error falls before this interval and rises after it.
  std::pair<int, int> BestInterval(size_t child, double weight, double unit) const {
    const Table& table = tables_[child];
    if (table.sign) return table.intervals[weight < 0 ? 0 : 2];
    const double last = static_cast<double>(table.intervals.size() - 1);
    return table.intervals[static_cast<size_t>(std::clamp(std::nearbyint(weight / unit) - table.lowest, 0.0, last))];
  }

 private:
  struct Table {
    std::array<int, kCodes> codes;               // by store code
    std::vector<std::pair<int, int>> intervals;  // by child, from the lowest on: its first and last store code
    int lowest = 0;
    bool sign = false;  // children are -1 and 1, and 0 has an interval of no codes
  };
  std::vector<Table> tables_;
};

double ErrorOf(const ChildTables& tables, double weight, std::span<const Child> children, int q8) {
  double error = 0;
  for (size_t c = 0; c < children.size(); ++c) {
    const double difference = weight - tables.At(c, q8) * children[c].unit;
    error += children[c].lambda * difference * difference;
  }
  return error;
}

// The errors of all children fall up to the first upper end of their intervals and rise from the last lower end. The
// best code is between these two, which are mostly a few codes apart.
int BestCode(const ChildTables& tables, double weight, std::span<const Child> children) {
  int low = kHighest, high = -kHighest;
  for (size_t c = 0; c < children.size(); ++c) {
    const auto [first, last] = tables.BestInterval(c, weight, children[c].unit);
    low = std::min(low, last);
    high = std::max(high, first);
  }
  if (low > high) std::swap(low, high);
  int best = low;
  double least = std::numeric_limits<double>::infinity();
  for (int q8 = low; q8 <= high; ++q8) {
    const double error = ErrorOf(tables, weight, children, q8);
    if (error < least) {
      least = error;
      best = q8;
    }
  }
  return best;
}

double MeanSquare(std::span<const float> weights) {
  double sum = 0;
  for (const float w : weights) sum += static_cast<double>(w) * w;
  return weights.empty() ? 0 : sum / static_cast<double>(weights.size());
}

double LargestMagnitude(std::span<const float> weights) {
  double largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(static_cast<double>(w)));
  return largest;
}

double MeanMagnitude(std::span<const float> weights) {
  double sum = 0;
  for (const float w : weights) sum += std::abs(static_cast<double>(w));
  return weights.empty() ? 0 : sum / static_cast<double>(weights.size());
}

// One output channel.
struct Channel {
  std::vector<int8_t> q8;
  double scale = kSmallestScale;
  std::vector<Child> children;
  double error = std::numeric_limits<double>::infinity();  // weighted, over all its weights
};

class ChannelRounder {
 public:
  ChannelRounder(const ChildTables& tables, std::span<const float> weights) : tables_(tables), weights_(weights) {}

  Channel Round(std::span<const Child> children, double scale, int rounds) const {
    Channel channel{.scale = scale, .children = {children.begin(), children.end()}};
    for (Child& child : channel.children) {
      child.unit = child.range.sign ? std::max(MeanMagnitude(weights_), kSmallestScale) : scale * child.range.step;
    }
    channel.q8.resize(weights_.size());
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < weights_.size(); ++i) {
        channel.q8[i] = static_cast<int8_t>(BestCode(tables_, weights_[i], channel.children));
      }
      channel.error = 0;
      for (size_t c = 0; c < channel.children.size(); ++c) {
        FitUnit(channel, c);
        channel.error += channel.children[c].lambda * Error(channel, c);
      }
    }
    return channel;
  }

  double Error(const Channel& channel, size_t c) const {
    double error = 0;
    for (size_t i = 0; i < weights_.size(); ++i) {
      const double difference = weights_[i] - tables_.At(c, channel.q8[i]) * channel.children[c].unit;
      error += difference * difference;
    }
    return error;
  }

 private:
  // Least squares.
  void FitUnit(Channel& channel, size_t c) const {
    double products = 0, squares = 0;
    for (size_t i = 0; i < weights_.size(); ++i) {
      const double code = tables_.At(c, channel.q8[i]);
      products += code * weights_[i];
      squares += code * code;
    }
    if (products > 0) channel.children[c].unit = std::max(products / squares, kSmallestScale);
  }

  const ChildTables& tables_;
  std::span<const float> weights_;
};

// Moves codes of a rounded channel to neighbours, one weight after the other, while the error of correlated inputs
// falls.
class CorrelatedErrors {
 public:
  CorrelatedErrors(const ChildTables& tables, std::span<const float> weights, const InputCorrelation& correlation)
      : tables_(tables), weights_(weights), correlation_(correlation) {}

  void Lower(Channel& channel) {
    const auto channels = static_cast<size_t>(correlation_.channels);
    sums_.assign(channel.children.size(), std::vector<double>(channels + 1, 0));
    for (size_t c = 0; c < channel.children.size(); ++c) {
      for (size_t i = 0; i < weights_.size(); ++i) {
        const double error = ErrorAt(channel, c, i, channel.q8[i]);
        sums_[c][i % channels] += error;
        sums_[c][channels] += error;
      }
    }
    for (int round = 0; round < kRounds; ++round) {
      bool moved = false;
      for (size_t i = 0; i < weights_.size(); ++i) moved |= Move(channel, i);
      if (!moved) return;
    }
  }

 private:
  static constexpr int kRounds = 3;
  static constexpr int kReach = 5;  // store codes: one step of 6 bits, and more

  double ErrorAt(const Channel& channel, size_t c, size_t i, int q8) const {
    return weights_[i] - tables_.At(c, q8) * channel.children[c].unit;
  }

  bool Move(Channel& channel, size_t i) {
    const auto channels = static_cast<size_t>(correlation_.channels);
    const int now = channel.q8[i];
    int best = now;
    double least = -1e-18;  // a change of less is rounding
    for (int q8 = std::max(now - kReach, -kHighest); q8 <= std::min(now + kReach, kHighest); ++q8) {
      double change = 0;
      for (size_t c = 0; c < channel.children.size(); ++c) {
        const double before = ErrorAt(channel, c, i, now), after = ErrorAt(channel, c, i, q8), step = after - before;
        const double of_channel = sums_[c][i % channels], of_all = sums_[c][channels];
        change += channel.children[c].lambda *
                  (after * after - before * before + correlation_.of_channel * step * (2 * of_channel + step) +
                   correlation_.of_all * step * (2 * of_all + step));
      }
      if (change >= least) continue;
      least = change;
      best = q8;
    }
    if (best == now) return false;
    for (size_t c = 0; c < channel.children.size(); ++c) {
      const double step = ErrorAt(channel, c, i, best) - ErrorAt(channel, c, i, now);
      sums_[c][i % channels] += step;
      sums_[c][channels] += step;
    }
    channel.q8[i] = static_cast<int8_t>(best);
    return true;
  }

  const ChildTables& tables_;
  std::span<const float> weights_;
  const InputCorrelation& correlation_;
  std::vector<std::vector<double>> sums_;  // by child: the errors' sum of each input channel, then of all
};

Channel BestOfReaches(const ChannelRounder& rounder, std::span<const Child> children, double largest,
                      const JointRoundingOptions& options) {
  double best_scale = kSmallestScale, least = std::numeric_limits<double>::infinity();
  for (const double reach : options.reaches) {
    const double scale = std::max(reach * largest / kHighest, kSmallestScale);
    const double error = rounder.Round(children, scale, 1).error;
    if (error < least) {
      least = error;
      best_scale = scale;
    }
  }
  return rounder.Round(children, best_scale, std::max(options.rounds, 1));
}

class LayerRounder {
 public:
  LayerRounder(std::span<const float> weights, int64_t outputs) : weights_(weights), outputs_(outputs) {
    depth_ = weights.size() / static_cast<size_t>(outputs);
  }

  // `correlation`: null where inputs count as independent.
  template <typename RoundChannel>
  RoundedWeights Round(std::span<const CodeRange> ranges, RoundChannel round_channel,
                       const InputCorrelation* correlation = nullptr) const {
    RoundedWeights rounded;
    rounded.units.resize(ranges.size());
    rounded.errors.resize(ranges.size());
    const double square = std::max(MeanSquare(weights_) * static_cast<double>(weights_.size()), 1e-300);
    std::vector<Child> children;
    for (const CodeRange& range : ranges) children.push_back({.range = range});
    const ChildTables tables(children);
    for (int64_t o = 0; o < outputs_; ++o) {
      const std::span<const float> weights = weights_.subspan(static_cast<size_t>(o) * depth_, depth_);
      const ChannelRounder rounder(tables, weights);
      Channel channel = round_channel(rounder, weights);
      if (correlation != nullptr) CorrelatedErrors(tables, weights, *correlation).Lower(channel);
      rounded.q8.insert(rounded.q8.end(), channel.q8.begin(), channel.q8.end());
      rounded.scale.push_back(static_cast<float>(channel.scale));
      for (size_t c = 0; c < ranges.size(); ++c) {
        rounded.units[c].push_back(channel.children[c].unit);
        rounded.errors[c] += rounder.Error(channel, c) / square;
      }
    }
    return rounded;
  }

 private:
  std::span<const float> weights_;
  const int64_t outputs_;
  size_t depth_ = 0;
};

}  // namespace

int BestStoreCode(double weight, std::span<const Child> children) {
  return BestCode(ChildTables(children), weight, children);
}

RoundedWeights RoundJointly(std::span<const float> weights, int64_t outputs, std::span<const CodeRange> ranges,
                            const JointRoundingOptions& options) {
  const LayerRounder layer(weights, outputs);
  // The error of each child with a store of its own.
  std::vector<Child> children;
  for (const CodeRange& range : ranges) {
    const RoundedWeights alone =
        layer.Round({&range, 1}, [&](const ChannelRounder& rounder, std::span<const float> channel) {
          const Child child{.range = range};
          return BestOfReaches(rounder, {&child, 1}, LargestMagnitude(channel), options);
        });
    children.push_back({.range = range, .lambda = 1 / (alone.errors[0] + options.floor)});
  }
  const InputCorrelation& correlation = options.correlation;
  const bool correlated = correlation.of_channel > 0 || correlation.of_all > 0;
  return layer.Round(
      ranges,
      [&](const ChannelRounder& rounder, std::span<const float> channel) {
        return BestOfReaches(rounder, children, LargestMagnitude(channel), options);
      },
      correlated ? &correlation : nullptr);
}

RoundedWeights RoundToNearest(std::span<const float> weights, int64_t outputs, std::span<const CodeRange> ranges) {
  const LayerRounder layer(weights, outputs);
  return layer.Round(ranges, [&](const ChannelRounder&, std::span<const float> weights_of_channel) {
    Channel channel{.scale = std::max(LargestMagnitude(weights_of_channel) / kHighest, kSmallestScale)};
    for (const float w : weights_of_channel) {
      channel.q8.push_back(static_cast<int8_t>(std::clamp(
          std::nearbyint(w / channel.scale), -static_cast<double>(kHighest), static_cast<double>(kHighest))));
    }
    for (const CodeRange& range : ranges) {
      const double unit =
          range.sign ? std::max(MeanMagnitude(weights_of_channel), kSmallestScale) : channel.scale * range.step;
      channel.children.push_back({.range = range, .unit = unit});
    }
    return channel;
  });
}

}  // namespace anybit::model::train
