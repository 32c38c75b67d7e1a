// Dynamic block swapping (CoQuant): in a student's pass some residual blocks run at the teacher's point.
//
// Blocks are found in the graph, not by names. One draw per block, pass and step decides whether a block is swapped.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_BLOCK_SWAP_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_BLOCK_SWAP_H_

#include <cstdint>
#include <vector>

#include "model/format/network_spec.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"

namespace anybit::model::train {

using Block = std::vector<int>;  // node indices, ascending

// The residual blocks of `plan`, in the order of their additions. A block is all nodes between the tensor from which
// both summands come and the addition. Of overlapping blocks the first stays. In a network without additions each
// convolution but the first is a block.
std::vector<Block> SwappableBlocks(const NetworkPlan& plan);

// The probability of a swap at `progress` (0..1) of joint training.
double SwapProbability(const Recipe& recipe, double progress);

// The operating point of each node.
using Route = std::vector<PointIndex>;

// `student` at every node but those of swapped blocks, which run at `teacher`. The draw for (seed, step, student,
// block) decides about a block.
Route SwapBlocks(const NetworkPlan& plan, const std::vector<Block>& blocks, PointIndex student, PointIndex teacher,
                 double probability, uint64_t seed, int64_t step);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_BLOCK_SWAP_H_
