// The learning-rate range test (Smith, "Cyclical Learning Rates for Training Neural Networks", 2017): a short training
// whose rate rises exponentially. Its losses show which rates learn and which diverge.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_RATE_RANGE_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_RATE_RANGE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit::model::train {

struct RateRange {
  double low = 0, high = 0;  // the first and the last rate
  int64_t steps = 0;

  double At(int64_t step) const;
};

// "1e-6:1", from which on the rate rises in `steps` steps. InvalidArgument unless 1e-9 <= low < high <= 100 and there
// are 20..1e6 steps.
absl::StatusOr<RateRange> ParseRateRange(absl::string_view text, int64_t steps);

// The losses of a test so far.
class RangeCurve {
 public:
  explicit RangeCurve(const RateRange& range);

  // The loss of the next step, before its weights change. One that is not finite is a divergence, and is not kept.
  void Add(double loss);

  const RateRange& range() const { return range_; }
  const std::vector<double>& rates() const { return rates_; }
  const std::vector<double>& losses() const { return losses_; }

  // The mean of the losses around each step: as far to both sides as kSmoothing of the steps, less at the ends. A mean
  // has no lag, which would move what follows to higher rates.
  std::vector<double> Smoothed() const;

  // The first rate at which the smoothed loss is twice the lowest one before, or a loss is not finite: from there on
  // the test tells nothing. None yet, or none in the range. It is known some steps later, when the mean is complete.
  std::optional<double> Divergence() const { return divergence_; }

  // The rate around which the smoothed loss falls fastest by the logarithm of the rate. None where it does not fall.
  std::optional<double> SteepestDescent() const;

 private:
  static constexpr double kSmoothing = 0.04;  // share of the steps
  static constexpr double kDiverged = 2;      // times the lowest loss

  double MeanAround(int64_t step, int64_t side) const;

  RateRange range_;
  int64_t reach_;  // steps of a mean to either side
  std::vector<double> rates_, losses_;
  double lowest_;  // of the complete means
  std::optional<double> divergence_;
};

// The rate to train with at most: the steepest descent or a tenth of the divergence, whichever is lower.
struct RateSuggestion {
  double rate = 0;
  const char* source = "";
};
std::optional<RateSuggestion> SuggestedRate(const RangeCurve& curve);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_RATE_RANGE_H_
