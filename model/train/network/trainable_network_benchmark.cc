// Seconds of a training step's forward and backward pass, per operating point: the default architecture at a quarter of
// its width, 128 images, one thread.
#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "model/arch/basic_block_network.h"
#include "model/train/network/trainable_network.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"

namespace anybit::model::train {
namespace {

void ForwardAndBackward(benchmark::State& state) {
  torch::set_num_threads(1);
  torch::manual_seed(1);
  const std::vector<PointRecipe> points = *ParsePoints("fp32,w8a8,w4a4f,w3a2f,w1a1");
  TrainableNetwork network(FashionNetwork(4), points, *ParseRecipe("coquant"), 1);
  const torch::Tensor images = torch::randint(0, 256, {128, 32, 32, 1}, torch::kUInt8);
  const torch::Tensor labels = torch::randint(0, 10, {128}, torch::kInt64);
  const int point = static_cast<int>(state.range(0));
  if (!points[point].full_precision) network->CalibrateSteps(point, images);
  for (auto _ : state) {
    network->zero_grad();
    torch::cross_entropy_loss(network->Forward(point, images), labels).backward();
    network->PullBackGradients();
    network->WeightsChanged();
  }
  state.SetLabel(points[point].name);
}
BENCHMARK(ForwardAndBackward)->DenseRange(0, 4)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace anybit::model::train

BENCHMARK_MAIN();
