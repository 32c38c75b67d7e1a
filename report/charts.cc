#include "report/charts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace anybit::report {
namespace {

constexpr int kPanelHeight = 230;
constexpr int kLeft = 58;     // of a panel: its y axis' texts
constexpr int kLabels = 110;  // right of a panel: its lines' names
constexpr int kNoLabels = 24;
constexpr int kAbove = 34;  // a panel: its title
constexpr int kBelow = 36;  // a panel: its x axis' texts
constexpr int kLegendRow = 20;
constexpr int kCaption = 26;
constexpr double kLabelHeight = 12;  // names of lines are at least this far apart

constexpr const char* kLineColours[] = {"#0b6e4f", "#3b6fb5", "#c1666b", "#b98b2f", "#7a4fa3", "#2a9db0",
                                        "#d17bb0", "#7a7a7a", "#8bb04a", "#6b4226", "#e07b39", "#1d1d1d"};

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

// 0 at low, 1 at high.
double PositionOn(const Axis& axis, double value) {
  const double held = std::clamp(value, axis.low, axis.high);
  if (axis.logarithmic) return std::log(held / axis.low) / std::log(axis.high / axis.low);
  return (held - axis.low) / (axis.high - axis.low);
}

// A panel with its place in the figure.
class PlacedPanel {
 public:
  PlacedPanel(const Panel& panel, double left, double top, double width)
      : panel_(panel), left_(left), top_(top), width_(width) {}

  std::string Draw() const {
    std::string svg = DrawGrid();
    absl::StrAppend(&svg, DrawAreas(), DrawXAxis());
    for (auto line = panel_.lines.rbegin(); line != panel_.lines.rend(); ++line) absl::StrAppend(&svg, DrawLine(*line));
    return absl::StrCat(svg, DrawNames());
  }

 private:
  double X(double value) const { return left_ + width_ * PositionOn(panel_.x, value); }
  double Y(double value) const { return top_ + kPanelHeight * (1 - PositionOn(panel_.y, value)); }

  std::string DrawGrid() const {
    std::string svg = absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" class=\"title\">%s</text>\n", left_, top_ - 12,
                                      Escaped(panel_.title));
    for (const auto& [value, text] : panel_.y.marks) {
      absl::StrAppendFormat(&svg, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", left_,
                            left_ + width_, Y(value), Y(value));
      absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left_ - 6,
                            Y(value) + 4, Escaped(text));
    }
    return svg;
  }

  std::string DrawXAxis() const {
    std::string svg;
    for (const auto& [value, text] : panel_.x.marks) {
      absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", X(value),
                            top_ + kPanelHeight + 18, Escaped(text));
    }
    return svg;
  }

  std::string DrawAreas() const {
    std::string svg;
    std::vector<double> floor(panel_.steps.empty() ? 0 : panel_.steps.size() - 1);
    for (const Area& area : panel_.areas) {
      std::string above, below;  // the outline: forth along the upper edge, back along the lower one
      for (size_t i = 0; i < floor.size(); ++i) {
        const double left = X(panel_.steps[i]), right = X(panel_.steps[i + 1]);
        below = absl::StrFormat("%.1f,%.1f %.1f,%.1f ", right, Y(floor[i]), left, Y(floor[i])) + below;
        floor[i] += area.heights[i];
        absl::StrAppendFormat(&above, "%.1f,%.1f %.1f,%.1f ", left, Y(floor[i]), right, Y(floor[i]));
      }
      absl::StrAppend(&svg, "<polygon points=\"", above, below, "\" fill=\"", area.colour, "\"/>\n");
    }
    return svg;
  }

  std::string DrawLine(const Line& line) const {
    std::string path, dots;
    for (size_t i = 0; i < line.points.size(); ++i) {
      const auto& [x, y] = line.points[i];
      absl::StrAppendFormat(&path, "%.1f,%.1f ", X(x), Y(y));
      if (i < line.spreads.size() && line.spreads[i] > 0) {
        absl::StrAppendFormat(&dots,
                              "<line x1=\"%1$.1f\" x2=\"%1$.1f\" y1=\"%2$.1f\" y2=\"%3$.1f\" stroke=\"%4$s\"/>\n", X(x),
                              Y(y + line.spreads[i]), Y(y - line.spreads[i]), line.colour);
      }
      if (!line.dots) continue;
      absl::StrAppendFormat(&dots, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"/>\n", X(x), Y(y),
                            line.bold ? "3" : "2.2", line.colour);
    }
    if (!line.joined) return dots;
    return absl::StrCat("<polyline points=\"", path, "\" fill=\"none\" stroke=\"", line.colour, "\" stroke-width=\"",
                        line.bold ? "3" : "1.7", line.dashed ? "\" stroke-dasharray=\"5 3" : "", "\"/>\n", dots);
  }

  // Each name stands at its line's end, moved up or down until no two overlap.
  std::string DrawNames() const {
    std::vector<const Line*> named;
    for (const Line& line : panel_.lines) {
      if (!line.name.empty() && !line.points.empty()) named.push_back(&line);
    }
    std::stable_sort(named.begin(), named.end(), [this](const Line* a, const Line* b) {
      return Y(a->points.back().second) < Y(b->points.back().second);
    });
    std::vector<double> places;
    for (const Line* line : named) {
      const double wanted = Y(line->points.back().second);
      places.push_back(places.empty() ? wanted : std::max(wanted, places.back() + kLabelHeight));
    }
    double lowest = top_ + kPanelHeight;
    for (auto place = places.rbegin(); place != places.rend(); ++place) {
      *place = std::min(*place, lowest);
      lowest = *place - kLabelHeight;
    }
    std::string svg;
    for (size_t i = 0; i < named.size(); ++i) {
      const auto [x, y] = named[i]->points.back();
      const double text_x = left_ + width_ + 16;
      absl::StrAppendFormat(&svg,
                            "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" class=\"link\"/>\n",
                            X(x) + 4, text_x - 2, Y(y), places[i], named[i]->colour);
      absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" class=\"name\" style=\"fill:%s%s\">%s</text>\n", text_x,
                            places[i] + 3.5, named[i]->colour, named[i]->bold ? ";font-weight:bold" : "",
                            Escaped(named[i]->name));
    }
    return svg;
  }

  const Panel& panel_;
  const double left_;
  const double top_;
  const double width_;
};

// The rows of the legend, drawn from the figure's top on; `width` is the figure's. Tells how many rows there are.
std::pair<std::string, int> DrawLegend(const std::vector<LegendEntry>& legend, double width) {
  std::string svg;
  double x = kLeft;
  int row = 0;
  for (const LegendEntry& entry : legend) {
    const double needed = 48 + 6.5 * static_cast<double>(entry.name.size());
    if (x > kLeft && x + needed > width) {
      x = kLeft;
      ++row;
    }
    const double y = 18 + row * kLegendRow;
    if (entry.filled) {
      absl::StrAppendFormat(&svg, "<rect x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"10\" fill=\"%s\"/>\n", x, y - 5,
                            entry.colour);
    } else {
      absl::StrAppendFormat(&svg, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"", x, x + 22, y, y);
      absl::StrAppendFormat(&svg, " stroke=\"%s\" stroke-width=\"%s\"%s/>\n", entry.colour, entry.bold ? "3" : "1.7",
                            entry.dashed ? " stroke-dasharray=\"5 3\"" : "");
    }
    absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + 28, y + 4, Escaped(entry.name));
    x += needed;
  }
  return {svg, legend.empty() ? 0 : row + 1};
}

}  // namespace

Axis RoundAxis(double low, double high, const std::string& unit) {
  if (!(high > low)) high = low + 1;
  const double rough = (high - low) / 5;
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * decade;
  for (const double digit : {5., 2.5, 2., 1.}) {
    if (digit * decade >= rough * (1 - 1e-9)) step = digit * decade;
  }
  // A value on a mark, up to rounding, needs no further one.
  const auto first = static_cast<int64_t>(std::floor(low / step + 1e-9));
  const auto last = static_cast<int64_t>(std::ceil(high / step - 1e-9));
  Axis axis{.low = static_cast<double>(first) * step, .high = static_cast<double>(last) * step};
  for (int64_t i = first; i <= last; ++i) {
    const double value = static_cast<double>(i) * step;
    axis.marks.emplace_back(value, absl::StrFormat("%g%s", value, unit));
  }
  return axis;
}

std::string DrawSvg(const Figure& figure) {
  const bool has_names = std::any_of(figure.panels.begin(), figure.panels.end(), [](const Panel& panel) {
    return std::any_of(panel.lines.begin(), panel.lines.end(), [](const Line& line) { return !line.name.empty(); });
  });
  const int panels = static_cast<int>(figure.panels.size());
  const int columns = std::max(1, std::min(figure.columns, panels));
  const int rows = (panels + columns - 1) / columns;
  const int cell_width = kLeft + figure.panel_width + (has_names ? kLabels : kNoLabels);
  const int cell_height = kAbove + kPanelHeight + kBelow;
  const int width = columns * cell_width;
  const auto [legend, legend_rows] = DrawLegend(figure.legend, width);
  const int legend_height = 8 + legend_rows * kLegendRow;
  const int height = legend_height + rows * cell_height + kCaption;

  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%1$d\" height=\"%2$d\" viewBox=\"0 0 %1$d %2$d\">\n"
      "<style>text{font:12px sans-serif;fill:#333}.name{font-size:11px}.title{font-weight:bold}.grid{stroke:#ddd}"
      ".link{stroke-width:0.6}</style>\n"
      "<rect width=\"%1$d\" height=\"%2$d\" fill=\"white\"/>\n",
      width, height);
  svg += legend;
  for (int i = 0; i < panels; ++i) {
    const double left = i % columns * cell_width + kLeft;
    const double top = legend_height + i / columns * cell_height + kAbove;
    svg += PlacedPanel(figure.panels[static_cast<size_t>(i)], left, top, figure.panel_width).Draw();
  }
  absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", width / 2.0, height - 8,
                        Escaped(figure.caption));
  return svg + "</svg>\n";
}

std::string LineColour(int index) {
  const auto place = static_cast<size_t>(index);
  constexpr size_t kCount = std::size(kLineColours);
  return kLineColours[place < kCount ? place : 1 + (place - kCount) % (kCount - 1)];
}

std::string ShadeOf(int index, int count) {
  // Dark green, light green, sand, red: equal steps between these.
  constexpr double kStops[][3] = {{11, 84, 62}, {96, 170, 120}, {232, 205, 130}, {193, 102, 90}};
  const double place = count < 2 ? 0 : 3.0 * index / (count - 1);
  const auto stop = std::min<size_t>(static_cast<size_t>(place), 2);
  const double part = place - static_cast<double>(stop);
  int mixed[3];
  for (size_t c = 0; c < 3; ++c) {
    mixed[c] = static_cast<int>(std::lround(kStops[stop][c] * (1 - part) + kStops[stop + 1][c] * part));
  }
  return absl::StrFormat("#%02x%02x%02x", mixed[0], mixed[1], mixed[2]);
}

}  // namespace anybit::report
