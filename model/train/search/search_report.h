// The result of a search: the uniform points and the routes found, as a table, JSON and a figure.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_SEARCH_REPORT_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_SEARCH_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/train/search/score_points.h"

namespace anybit::model::train {

// The best of all routes within a budget of which the search, or those whose journal it shares, know the loss.
struct BestKnown {
  int64_t routes = 0;
  double loss = 0;
  double accuracy = 0;
};

struct SearchedPoint {
  std::string name;
  std::string method = {};       // that found it; empty: the report's
  std::string route;             // RouteText
  std::optional<double> budget;  // none of a uniform point
  double cost = 0;
  Score held_out;
  std::optional<double> test;          // top-1, 0..1
  std::vector<bool> right = {};        // by test row, or empty
  std::optional<BestKnown> best = {};  // within the budget
};

// How well sums of penalties order routes.
struct Agreement {
  int64_t routes = 0;  // whose losses are known, other than those that penalties were taken from
  double tau = 0;      // Kendall's, of sums and losses
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
  std::optional<Agreement> agreement;          // of a method with penalties
};

// The test accuracy where there is one, else that of the held-out rows.
double AccuracyOf(const SearchedPoint& point);

// The best accuracy that the uniform points reach at a mean cost of `cost`, by alternating between two of them as a
// scheduler may: their upper convex hull. Nothing below the lowest cost.
std::optional<double> HullAt(const SearchReport& report, double cost);

// How far a point is above the hull, and two standard errors of that difference. Where the answers to each test row are
// known, it is that of the mean over rows of the point's answer less the mixture's; else that of two independent
// shares, which is larger.
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
