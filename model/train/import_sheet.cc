#include "model/train/import_sheet.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace anybit::model::train {
namespace {

constexpr size_t kWorst = 3;

// "3x3, 64 to 128 channels"
std::string Shape(const PlannedNode& node) {
  if (node.kind == NodeKind::kLinear) return absl::StrCat("linear, ", node.depth, " to ", node.out.channels);
  return absl::StrCat(node.kernel, "x", node.kernel, node.depthwise ? " depthwise" : "", ", ", node.in.channels, " to ",
                      node.out.channels, " channels, ", node.out.height, "x", node.out.width);
}

// The points whose layers were measured.
std::vector<const SheetPoint*> Measured(const ImportSheet& sheet) {
  std::vector<const SheetPoint*> measured;
  for (const SheetPoint& point : sheet.points) {
    if (!point.layers.empty()) measured.push_back(&point);
  }
  return measured;
}

std::string LayerTable(const std::vector<const SheetPoint*>& points, const NetworkPlan& plan) {
  std::string table = absl::StrCat("| layer | shape |");
  std::string line = "|---|---|";
  for (const SheetPoint* point : points) {
    absl::StrAppend(&table, " ", point->name, " |");
    absl::StrAppend(&line, "---|");
  }
  absl::StrAppend(&table, "\n", line, "\n");
  // The last point has the fewest bits in an ordinary ladder, so its layers differ most.
  for (const size_t i : WorstFirst(*points.back())) {
    const PlannedNode& node = plan.layer(static_cast<int>(i));
    absl::StrAppend(&table, "| ", node.name, " | ", Shape(node), " |");
    for (const SheetPoint* point : points) absl::StrAppendFormat(&table, " %.1f |", point->layers[i]);
    absl::StrAppend(&table, "\n");
  }
  return table;
}

}  // namespace

std::vector<size_t> WorstFirst(const SheetPoint& point) {
  std::vector<size_t> order(point.layers.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return point.layers[a] < point.layers[b]; });
  return order;
}

std::string WorstLayers(const SheetPoint& point, const NetworkPlan& plan) {
  std::vector<std::string> worst;
  for (const size_t i : WorstFirst(point)) {
    if (worst.size() == kWorst) break;
    worst.push_back(absl::StrFormat("%s %.1f dB", plan.layer(static_cast<int>(i)).name, point.layers[i]));
  }
  return absl::StrJoin(worst, ", ");
}

std::string SheetPage(const ImportSheet& sheet, const NetworkPlan& plan) {
  std::string page =
      absl::StrCat("# ", sheet.network, ", imported\n\n```text\n", sheet.command, "\n```\n\nMeasured on ", sheet.rows,
                   " images. Agreement: the first class is that of the float network. SQNR: ",
                   "the power of the float network's values over that of the error, in dB.\n\n");
  absl::StrAppend(&page, "| point |", sheet.labelled ? " accuracy |" : "", " agreement | SQNR of logits |\n|---|",
                  sheet.labelled ? "---|" : "", "---|---|\n");
  for (const SheetPoint& point : sheet.points) {
    absl::StrAppend(&page, "| ", point.name, " |");
    if (sheet.labelled) absl::StrAppendFormat(&page, " %.2f %% |", 100 * point.accuracy);
    absl::StrAppendFormat(&page, " %.2f %% | %.1f |\n", 100 * point.agreement, point.sqnr);
  }
  const std::vector<const SheetPoint*> measured = Measured(sheet);
  if (measured.empty()) return page;
  absl::StrAppend(&page, "\n## Layers\n\nSQNR of each layer's output, worst first at ", measured.back()->name,
                  ". A point with more bits in the first of them gains most.\n\n", LayerTable(measured, plan));
  return page;
}

}  // namespace anybit::model::train
