// What an import cost in accuracy, as a Markdown page: each point beside the float network, and each layer, worst
// first.
#ifndef ANYBIT_MODEL_TRAIN_IMPORT_SHEET_H_
#define ANYBIT_MODEL_TRAIN_IMPORT_SHEET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/format/network_spec.h"

namespace anybit::model::train {

struct SheetPoint {
  std::string name;
  double accuracy = 0;         // share of labels, where there are labels
  double agreement = 0;        // share of rows with the float network's first class
  double sqnr = 0;             // dB, of the logits
  std::vector<double> layers;  // dB, by layer of the plan; empty: not measured
};

struct ImportSheet {
  std::string network;
  std::string command;
  int64_t rows = 0;  // on which points were measured
  bool labelled = false;
  std::vector<SheetPoint> points;
};

// The indices of the layers of `point`, worst first.
std::vector<size_t> WorstFirst(const SheetPoint& point);

// "conv1 9.1 dB, ...": the worst few layers of `point`, on one line.
std::string WorstLayers(const SheetPoint& point, const NetworkPlan& plan);

std::string SheetPage(const ImportSheet& sheet, const NetworkPlan& plan);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_IMPORT_SHEET_H_
