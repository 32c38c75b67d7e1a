// A load's report as figures: each step, and the whole load over time.
#ifndef ANYBIT_CLIENT_LOAD_FIGURES_H_
#define ANYBIT_CLIENT_LOAD_FIGURES_H_

#include "client/load_output.h"
#include "client/load_report.h"
#include "report/charts.h"

namespace anybit::client {

// Panels one above the other; those of a pair stand side by side.
struct FigurePair {
  report::Figure areas;  // how calls ended, shares of the operating points
  report::Figure lines;  // latency percentiles with the objectives, accuracy
};

// `report` has at least one step and one interval.
FigurePair StepsFigures(const LoadSent& sent, const LoadReport& report);
FigurePair TimelineFigures(const LoadSent& sent, const LoadReport& report);

// Latency against percentile, of all answered calls; at least one was answered.
report::Figure DistributionFigure(const LoadSent& sent, const LoadReport& report);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_FIGURES_H_
