// The result of a search: the uniform points and the routes found, as a table, JSON and a figure.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_SEARCH_REPORT_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_SEARCH_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/train/search/score_points.h"

namespace anybit::model::train {

struct SearchedPoint {
  std::string name;
  std::string route;             // RouteText
  std::optional<double> budget;  // none of a uniform point
  double cost = 0;
  Score held_out;
  std::optional<double> test;  // top-1, 0..1
};

struct SearchReport {
  std::string method;
  std::string network;
  std::string unit;  // of costs
  uint64_t seed = 0;
  int64_t calibration_images = 0, held_out_images = 0, test_images = 0;
  int64_t routes = 0;                         // scored in this run
  int64_t resumed = 0;                        // known from the journal
  double seconds = 0, processor_seconds = 0;  // of this run's search, without the test
  std::vector<SearchedPoint> points;          // uniform ones first
  std::vector<std::string> layers;
  std::vector<std::vector<double>> penalties;  // [layer][rung], or empty
};

// The test accuracy where there is one, else that of the held-out rows.
double AccuracyOf(const SearchedPoint& point);

// The best accuracy that the uniform points reach at a mean cost of `cost`, by alternating between two of them as a
// scheduler may: their upper convex hull. Nothing below the lowest cost.
std::optional<double> HullAt(const SearchReport& report, double cost);

// How far a point is above the hull, and two standard errors of a difference of accuracies there: of two independent
// shares, which is more than that of two networks on the same images.
struct HullMargin {
  double above = 0;
  double two_errors = 0;
};
std::optional<HullMargin> MarginOf(const SearchReport& report, const SearchedPoint& point);

// Markdown.
std::string ReportTable(const SearchReport& report);
std::string ReportJson(const SearchReport& report);
// SVG: accuracy against cost, the hull as a line.
std::string ReportFigure(const SearchReport& report);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_SEARCH_REPORT_H_
