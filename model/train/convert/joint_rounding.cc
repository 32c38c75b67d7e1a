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

// Of the children, when what child c should stand for is targets[c].
double ErrorOf(const ChildTables& tables, std::span<const double> targets, std::span<const Child> children, int q8) {
  double error = 0;
  for (size_t c = 0; c < children.size(); ++c) {
    const double difference = targets[c] - tables.At(c, q8) * children[c].unit;
    error += children[c].lambda * difference * difference;
  }
  return error;
}

// The errors of all children fall up to the first upper end of their intervals and rise from the last lower end. The
// best code is between these two, which are mostly a few codes apart.
int BestCode(const ChildTables& tables, std::span<const double> targets, std::span<const Child> children) {
  int low = kHighest, high = -kHighest;
  for (size_t c = 0; c < children.size(); ++c) {
    const auto [first, last] = tables.BestInterval(c, targets[c], children[c].unit);
    low = std::min(low, last);
    high = std::max(high, first);
  }
  if (low > high) std::swap(low, high);
  int best = low;
  double least = std::numeric_limits<double>::infinity();
  for (int q8 = low; q8 <= high; ++q8) {
    const double error = ErrorOf(tables, targets, children, q8);
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
      std::vector<double> targets(children.size());
      for (size_t i = 0; i < weights_.size(); ++i) {
        std::fill(targets.begin(), targets.end(), weights_[i]);
        channel.q8[i] = static_cast<int8_t>(BestCode(tables_, targets, channel.children));
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

// Moves codes of a rounded channel, one weight after the other, while the error of its sums falls.
class SumErrors {
 public:
  // `moments` are [depth][depth], with diagonals above 0.
  SumErrors(const ChildTables& tables, std::span<const float> weights, std::span<const float> moments)
      : tables_(tables), weights_(weights), moments_(moments) {}

  void Lower(Channel& channel) {
    const size_t depth = weights_.size();
    slopes_.assign(channel.children.size(), std::vector<double>(depth, 0));
    for (size_t c = 0; c < channel.children.size(); ++c) {
      for (size_t i = 0; i < depth; ++i) Add(c, i, weights_[i] - ValueAt(channel, c, channel.q8[i]));
    }
    for (int round = 0; round < kRounds; ++round) {
      bool moved = false;
      for (size_t i = 0; i < depth; ++i) moved |= Move(channel, i);
      if (!moved) return;
    }
  }

 private:
  static constexpr int kRounds = 4;

  double ValueAt(const Channel& channel, size_t c, int q8) const {
    return tables_.At(c, q8) * channel.children[c].unit;
  }

  // Adds `error` to that of weight i of child c.
  void Add(size_t c, size_t i, double error) {
    const float* row = &moments_[i * weights_.size()];
    double* slope = slopes_[c].data();
    for (size_t j = 0; j < weights_.size(); ++j) slope[j] += error * row[j];
  }

  // For given other codes each child has one best value of weight i, and the error is the squared distance from it.
  bool Move(Channel& channel, size_t i) {
    const double curvature = moments_[i * weights_.size() + i];
    const int now = channel.q8[i];
    targets_.resize(channel.children.size());
    for (size_t c = 0; c < targets_.size(); ++c) targets_[c] = ValueAt(channel, c, now) + slopes_[c][i] / curvature;
    const int best = BestCode(tables_, targets_, channel.children);
    const double before = ErrorOf(tables_, targets_, channel.children, now);
    // A change of less is rounding.
    if (best == now || ErrorOf(tables_, targets_, channel.children, best) >= before * (1 - 1e-9)) return false;
    for (size_t c = 0; c < targets_.size(); ++c) {
      const double step = ValueAt(channel, c, best) - ValueAt(channel, c, now);
      if (step != 0) Add(c, i, -step);
    }
    channel.q8[i] = static_cast<int8_t>(best);
    return true;
  }

  const ChildTables& tables_;
  std::span<const float> weights_;
  std::span<const float> moments_;
  std::vector<std::vector<double>> slopes_;  // by child and weight: moments times errors
  std::vector<double> targets_;              // of one weight, by child
};

// `moments` with a share of their mean diagonal added to it: what few samples show is not certain.
std::vector<float> Damped(std::span<const float> moments, size_t depth, double share) {
  std::vector<float> damped(moments.begin(), moments.end());
  const size_t square = depth * depth;
  for (size_t first = 0; first < damped.size(); first += square) {
    double trace = 0;
    for (size_t i = 0; i < depth; ++i) trace += damped[first + i * (depth + 1)];
    const double added = std::max(share * trace / static_cast<double>(depth), 1e-20);
    for (size_t i = 0; i < depth; ++i) damped[first + i * (depth + 1)] += static_cast<float>(added);
  }
  return damped;
}

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

  // `moments`, damped, are those of the inputs; empty where these count as independent and alike.
  template <typename RoundChannel>
  RoundedWeights Round(std::span<const CodeRange> ranges, RoundChannel round_channel,
                       std::span<const float> moments = {}) const {
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
      if (!moments.empty()) {
        const size_t square = depth_ * depth_;
        SumErrors(tables, weights, moments.subspan(moments.size() == square ? 0 : o * square, square)).Lower(channel);
      }
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
  return BestCode(ChildTables(children), std::vector<double>(children.size(), weight), children);
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
  const std::vector<float> moments =
      Damped(options.moments, weights.size() / static_cast<size_t>(outputs), options.damping);
  return layer.Round(
      ranges,
      [&](const ChannelRounder& rounder, std::span<const float> channel) {
        return BestOfReaches(rounder, children, LargestMagnitude(channel), options);
      },
      moments);
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
