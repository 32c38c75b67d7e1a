// The result of a learning-rate range test: as JSON, as a figure, and in a line of text.
#ifndef ANYBIT_MODEL_TRAIN_RATE_REPORT_H_
#define ANYBIT_MODEL_TRAIN_RATE_REPORT_H_

#include <string>

#include "model/train/recipe/rate_range.h"

namespace anybit::model::train {

// {"phase": "joint", "suggested": 0.002, "source": "steepest descent", "steepest_descent": 0.002, "divergence": 0.3,
// "rates": […], "losses": […], "smoothed": […]}; members without a value are absent.
std::string RateJson(const RangeCurve& curve, const std::string& phase);

// Loss against rate as SVG, with the suggestions.
std::string RateFigure(const RangeCurve& curve, const std::string& caption);

// "suggested learning rate 0.002 by steepest descent; steepest descent 0.002, divergence 0.3".
std::string RateText(const RangeCurve& curve);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RATE_REPORT_H_
