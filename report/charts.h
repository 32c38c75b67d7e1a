// Figures as SVG text: panels with lines or stacked areas, a legend above and a caption below.
//
// Places in a panel are in its axes' values; places outside an axis are drawn at its end. Texts may hold anything.
#ifndef ANYBIT_REPORT_CHARTS_H_
#define ANYBIT_REPORT_CHARTS_H_

#include <string>
#include <utility>
#include <vector>

namespace anybit::report {

// From low to high, which differ; low > 0 if equal ratios are to be equally far apart.
struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<std::pair<double, std::string>> marks;  // where, and what stands there
};

// Holds [low, high] between round numbers, with about five marks, each followed by `unit`.
Axis RoundAxis(double low, double high, const std::string& unit = "");

struct Line {
  std::string name;  // written at its right end; empty: not
  std::string colour;
  bool bold = false;
  bool dashed = false;
  bool dots = true;                               // at its points
  bool joined = true;                             // its points, by a line
  std::vector<std::pair<double, double>> points;  // (x, y)
  std::vector<double> spreads;                    // at each point, half the height of a bar through it; or none
};

// One layer of a stack, on top of the panel's areas before it.
struct Area {
  std::string colour;
  std::vector<double> heights;  // at each of the panel's steps
};

struct Panel {
  std::string title;
  Axis x;
  Axis y;
  std::vector<double> steps;  // the areas' borders along x: one more than each has heights
  std::vector<Area> areas;
  std::vector<Line> lines;  // the first one is drawn last, above all others
};

struct LegendEntry {
  std::string name;
  std::string colour;
  bool bold = false;
  bool dashed = false;
  bool filled = false;  // an area's: a square instead of a line
};

struct Figure {
  std::vector<Panel> panels;
  int columns = 2;        // panels side by side
  int panel_width = 360;  // pixels, like all that follows from it
  std::vector<LegendEntry> legend;
  std::string caption;
};

std::string DrawSvg(const Figure& figure);

// Twelve distinct colours for lines. Further lines repeat them from the second colour on; the first stays unique.
std::string LineColour(int index);

// One of `count` colours of areas, from dark green at 0 over sand to red.
std::string ShadeOf(int index, int count);

}  // namespace anybit::report

#endif  // ANYBIT_REPORT_CHARTS_H_
