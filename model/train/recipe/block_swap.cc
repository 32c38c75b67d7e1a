#include "model/train/recipe/block_swap.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "base/random.h"
#include "model/train/recipe/chance.h"

namespace anybit::model::train {
namespace {

// `tensor` and its ancestors along first inputs, nearest first, up to the network's input.
std::vector<int> Lineage(const NetworkPlan& plan, int tensor) {
  std::vector<int> lineage = {tensor};
  while (lineage.back() != kNetworkInput) lineage.push_back(plan.nodes[lineage.back()].input);
  return lineage;
}

Block BlockOf(const NetworkPlan& plan, int adding) {
  const std::vector<int> summand = Lineage(plan, plan.nodes[adding].input);
  const std::vector<int> shortcut = Lineage(plan, plan.nodes[adding].residual);
  // Both lineages end at the network's input, so they meet.
  const auto parted = std::find_first_of(summand.begin(), summand.end(), shortcut.begin(), shortcut.end());
  Block block(summand.begin(), parted);
  block.insert(block.end(), shortcut.begin(), std::find(shortcut.begin(), shortcut.end(), *parted));
  block.push_back(adding);
  std::sort(block.begin(), block.end());
  return block;
}

// The share that is left of a falling value after `done` (0..1) of its course.
double Remaining(ScheduleShape shape, double done) {
  switch (shape) {
    case ScheduleShape::kConstant: return 1;
    case ScheduleShape::kLinear: return 1 - done;
    case ScheduleShape::kCosine: return 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
  return 0;
}

}  // namespace

std::vector<Block> SwappableBlocks(const NetworkPlan& plan) {
  std::vector<Block> blocks;
  std::set<int> taken;
  for (int i = 0; i < static_cast<int>(plan.nodes.size()); ++i) {
    if (!plan.nodes[i].has_residual) continue;
    const Block block = BlockOf(plan, i);
    if (std::any_of(block.begin(), block.end(), [&](int node) { return taken.contains(node); })) continue;
    taken.insert(block.begin(), block.end());
    blocks.push_back(block);
  }
  if (!blocks.empty()) return blocks;
  for (int node : plan.layers) {
    if (plan.nodes[node].kind == NodeKind::kConv && plan.nodes[node].layer > 0) blocks.push_back({node});
  }
  return blocks;
}

double SwapProbability(const Recipe& recipe, double progress) {
  if (progress < recipe.swap_begin || progress >= recipe.swap_end) return 0;
  const double courses = (progress - recipe.swap_begin) / (recipe.swap_end - recipe.swap_begin) * recipe.swap_cycles;
  const double done = courses - std::floor(courses);  // of the present course
  const double share = Remaining(recipe.swap_shape, recipe.swap_course == ScheduleCourse::kRising ? 1 - done : done);
  return recipe.swap_low + (recipe.swap - recipe.swap_low) * share;
}

Route SwapBlocks(const NetworkPlan& plan, const std::vector<Block>& blocks, PointIndex student, PointIndex teacher,
                 double probability, uint64_t seed, int64_t step) {
  Route route(plan.nodes.size(), student);
  for (size_t b = 0; b < blocks.size(); ++b) {
    const uint64_t draw =
        Draw(seed, Purpose::kBlockSwap, {static_cast<uint64_t>(step), static_cast<uint64_t>(student), b});
    if (UnitOf(draw) >= probability) continue;
    for (int node : blocks[b]) route[node] = teacher;
  }
  return route;
}

}  // namespace anybit::model::train
