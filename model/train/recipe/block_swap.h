// Dynamic block swapping (CoQuant): in a student's pass some residual blocks run at the teacher's point.
//
// Blocks are found in the graph, not by names. Which ones are swapped is one draw per block, pass and step.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_BLOCK_SWAP_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_BLOCK_SWAP_H_

#include <cstdint>
#include <vector>

#include "model/format/network_spec.h"
#include "model/train/recipe/recipe.h"

namespace anybit {

using Block = std::vector<int>;  // node indices, ascending

// The residual blocks of `plan`, in the order of the nodes that add: each is everything between the tensor where the
// two summands part and the addition. Of overlapping ones the first stays. In a network that adds nothing, each
// convolution but the first is a block of its own.
std::vector<Block> SwappableBlocks(const NetworkPlan& plan);

// The probability of a swap when `progress` (0..1) of joint training is done.
double SwapProbability(const Recipe& recipe, double progress);

// The operating point of each node.
using Route = std::vector<int>;

// `student` everywhere, but `teacher` in each block that the draw of (seed, step, student, block) swaps.
Route SwapBlocks(const NetworkPlan& plan, const std::vector<Block>& blocks, int student, int teacher,
                 double probability, uint64_t seed, int64_t step);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_BLOCK_SWAP_H_
