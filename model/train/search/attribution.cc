#include "model/train/search/attribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "model/format/code_range.h"

namespace anybit::model::train {
namespace {

// Ranks from 0; equal values have their mean rank.
std::vector<double> RanksOf(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t end = first;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (size_t i = first; i < end; ++i) ranks[order[i]] = static_cast<double>(first + end - 1) / 2;
    first = end;
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double middle = static_cast<double>(a.size() - 1) / 2;  // the mean of all ranks
  double product = 0, square_a = 0, square_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += (a[i] - middle) * (b[i] - middle);
    square_a += (a[i] - middle) * (a[i] - middle);
    square_b += (b[i] - middle) * (b[i] - middle);
  }
  if (square_a == 0 || square_b == 0) return square_a == square_b ? 1 : 0;
  return product / std::sqrt(square_a * square_b);
}

}  // namespace

absl::StatusOr<AttributionMaps> MapsOf(const NetworkPlan& plan, const LayerStore& store, const LayerEpilogue& head,
                                       std::span<const uint8_t> codes, std::span<const int> classes) {
  const PlannedNode& last = plan.nodes.back();
  const PlannedNode* pool = plan.PoolReadBy(last);
  if (pool == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribution needs a last layer that reads a global pool; '", last.name, "' does not"));
  }
  const int64_t channels = pool->in.channels, places = pool->pooled();
  const int64_t images = static_cast<int64_t>(codes.size()) / (places * channels);
  const auto weight = [&](int64_t of_class, int64_t channel) {
    return double{head.scale[of_class]} * ChildCode(store.q8[of_class * channels + channel], head.weights);
  };
  AttributionMaps maps{.values = {}, .classes = std::vector<int>(classes.begin(), classes.end())};
  for (int64_t image = 0; image < images; ++image) {
    const std::span<const uint8_t> of_image = codes.subspan(image * places * channels, places * channels);
    if (classes.empty()) {
      std::vector<int64_t> sums(channels);
      for (size_t i = 0; i < of_image.size(); ++i) sums[i % channels] += of_image[i];
      std::vector<double> logits;
      for (int64_t c = 0; c < last.out.channels; ++c) {
        double logit = head.bias[c];
        for (int64_t channel = 0; channel < channels; ++channel) {
          logit += weight(c, channel) * static_cast<double>(sums[channel]);
        }
        logits.push_back(logit);
      }
      maps.classes.push_back(static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    }
    for (int64_t place = 0; place < places; ++place) {
      double value = 0;
      for (int64_t channel = 0; channel < channels; ++channel) {
        value += weight(maps.classes[image], channel) * of_image[place * channels + channel];
      }
      maps.values.push_back(std::max(0.0, value));
    }
  }
  return maps;
}

double RankCorrelation(const AttributionMaps& a, const AttributionMaps& b) {
  const size_t images = a.classes.size(), places = a.values.size() / images;
  double total = 0;
  for (size_t image = 0; image < images; ++image) {
    const auto ranks = [&](const AttributionMaps& maps) {
      return RanksOf(std::span(maps.values).subspan(image * places, places));
    };
    total += Correlation(ranks(a), ranks(b));
  }
  return total / static_cast<double>(images);
}

}  // namespace anybit::model::train
