// Class activation maps, and how alike two networks rank the places of an image (GMPQ without training).
//
// Wang et al. ("Generalizable Mixed-Precision Quantization via Attribution Rank Preservation", 2021) keep the rank of
// Grad-CAM. Where the last layer reads a global pool, Grad-CAM is relu(sum over channels of weight x feature), which
// needs no gradient. Maps need no labels: the class is the reference's own answer.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_ATTRIBUTION_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_ATTRIBUTION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"

namespace anybit::model::train {

// The maps of some images, [images][places], and the class of each.
struct AttributionMaps {
  std::vector<double> values;
  std::vector<int> classes;
};

// `codes` are those that the last layer's global pool reads, [images][height][width][channels] (of clips with frames
// before height, which are places too), of a point whose last layer is `head`. `classes`: of each image; empty: the
// most probable one. InvalidArgument where the last layer reads no pool.
absl::StatusOr<AttributionMaps> MapsOf(const NetworkPlan& plan, const LayerStore& store, const LayerEpilogue& head,
                                       std::span<const uint8_t> codes, std::span<const int> classes = {});

// Spearman's rank correlation of each image's places, averaged over the images. Equal values share their mean rank; an
// image where either map is constant counts as 1 if both are, else as 0.
double RankCorrelation(const AttributionMaps& a, const AttributionMaps& b);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_ATTRIBUTION_H_
