// A whole search: from an artifact, images and budgets to new operating points of that artifact.
//
// Routes are scored on training rows that training held out; their scales are estimated on other training rows. The
// test rows are read once, at the end, and only for the routes that were chosen.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_SEARCH_RUN_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_SEARCH_RUN_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/format/artifact_contents.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/train/search/hessian_traces.h"
#include "model/train/search/layer_latency.h"
#include "model/train/search/search_report.h"

namespace anybit::model::train {

enum class SearchMethod : uint8_t { kMeasured, kAttribution, kCurvature, kGreedy, kRandom, kExhaustive };

// "measured", "gmpq", "hawq", "greedy", "random" or "exhaustive"; InvalidArgument, with these, for another name.
absl::StatusOr<SearchMethod> SearchMethodByName(const std::string& name);
std::string NameOf(SearchMethod method);

enum class CostKind : uint8_t { kLatency, kBytes, kBitProducts };

// "latency", "bytes" or "bit_products"; InvalidArgument, with these, for another name.
absl::StatusOr<CostKind> CostKindByName(const std::string& name);

struct SearchRequest {
  SearchMethod method = SearchMethod::kMeasured;
  CostKind cost = CostKind::kLatency;
  std::vector<std::string> rungs;    // empty: all quantized points
  std::vector<std::string> budgets;  // as ParseBudgets takes them
  std::string name = "mixed";        // new points are NAME1, NAME2, ..., by budget
  int rows = 1;                      // of the batches whose latency counts
  int64_t calibration = 512;         // images for scales
  int64_t held_out = 2000;           // images for scores: those that training held out
  int recheck = 16;                  // routes of the solver that are scored, of which the best is chosen
  int random_routes = 200;
  uint64_t seed = 1;
  int threads = 1;
  std::string journal;  // file, or empty
  bool resume = false;
};

struct SearchData {
  const ExampleSet& training;
  const ExampleSet* test;  // null: the new points have the accuracy of the held-out rows
};

// What was measured before; null where there is none.
struct SearchMeasurements {
  const LayerLatency* latency = nullptr;  // for CostKind::kLatency
  const HessianTraces* traces = nullptr;  // for SearchMethod::kCurvature
};

struct SearchResult {
  Artifact artifact;  // with the new points after the others
  SearchReport report;
};

// InvalidArgument, NotFound or ResourceExhausted, naming value and limit, for a request that does not fit the artifact,
// the data or the measurements. `live`: `progress` is a terminal.
absl::StatusOr<SearchResult> RunSearch(const Artifact& artifact, const SearchRequest& request, const SearchData& data,
                                       const SearchMeasurements& measurements, const KernelTable& kernels,
                                       std::ostream& progress, bool live);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_SEARCH_RUN_H_
