// Groups of real processes on this machine. A test is process 0; it starts this program again as the others, each of
// which runs the function named on its command line.
#include "model/train/processes/process_group.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <iostream>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/arch/basic_block_network.h"
#include "model/train/network/synchronized_batch_norm.h"
#include "model/train/network/trainable_network.h"
#include "model/train/processes/launch.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"

extern char** environ;

namespace anybit {
namespace {

constexpr std::chrono::seconds kLong(60);  // until a test that hangs fails
const char* program = nullptr;

// Another process of the group, running the worker `name`.
class Peer {
 public:
  Peer(const std::string& name, const Launch& launch) {
    std::string texts[] = {program, absl::StrCat("--worker=", name), absl::StrCat(launch.rank),
                           absl::StrCat(launch.size), absl::StrCat(launch.port)};
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);
    if (posix_spawn(&id_, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ) != 0) id_ = -1;
  }
  ~Peer() {
    if (id_ <= 0) return;
    kill(id_, SIGKILL);
    Wait();
  }

  // The exit status; -1 where it did not exit by itself.
  int Wait() {
    int status = 0;
    if (id_ <= 0 || waitpid(id_, &status, 0) != id_) return -1;
    id_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t id_ = -1;
};

// The group of this test and `size - 1` workers.
struct Team {
  std::unique_ptr<ProcessGroup::Rendezvous> rendezvous;
  std::vector<std::unique_ptr<Peer>> peers;
  std::unique_ptr<ProcessGroup> group;
};

Team MakeTeam(const std::string& worker, int size) {
  Team team;
  Launch launch{.rank = 0, .size = size, .serves_store = true};
  team.rendezvous = *ProcessGroup::Open(launch, kLong);
  launch.port = team.rendezvous->port();
  for (int rank = 1; rank < size; ++rank) {
    Launch other = launch;
    other.rank = rank;
    team.peers.push_back(std::make_unique<Peer>(worker, other));
  }
  team.group = *ProcessGroup::Join(launch, *team.rendezvous, ProcessGroup::Transport::kGloo, kLong);
  return team;
}

// What every process puts in: tensors of two types, one of them strided, one larger than a bucket.
std::vector<torch::Tensor> Inputs(int rank) {
  torch::manual_seed(rank);
  return {torch::randn({3, 5}), torch::randn({4, 6}).t(), torch::randn({5 << 20}),
          torch::randn({7}).to(torch::kFloat64)};
}

void CheckCollectives(ProcessGroup& group) {
  std::vector<torch::Tensor> sums = Inputs(0);
  for (int rank = 1; rank < group.size(); ++rank) {
    const std::vector<torch::Tensor> others = Inputs(rank);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = sums[i] + others[i];
  }
  std::vector<torch::Tensor> mine = Inputs(group.rank());
  ASSERT_TRUE(group.Sum(mine).ok());
  for (size_t i = 0; i < sums.size(); ++i) EXPECT_TRUE(torch::allclose(mine[i], sums[i], 1e-5, 1e-5)) << i;

  mine = Inputs(group.rank());
  ASSERT_TRUE(group.Average(mine).ok());
  for (size_t i = 0; i < sums.size(); ++i)
    EXPECT_TRUE(torch::allclose(mine[i], sums[i] / group.size(), 1e-5, 1e-5)) << i;

  mine = Inputs(group.rank());
  ASSERT_TRUE(group.Broadcast(mine, 1).ok());
  const std::vector<torch::Tensor> first = Inputs(1);
  for (size_t i = 0; i < sums.size(); ++i) EXPECT_TRUE(torch::equal(mine[i], first[i])) << i;
  EXPECT_EQ(group.Broadcast(mine, group.size()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(group.Barrier().ok());
}

TEST(ProcessGroup, AddsAveragesAndSpreadsTensorsOverThreeProcesses) {
  Team team = MakeTeam("collectives", 3);
  CheckCollectives(*team.group);
  for (auto& peer : team.peers) EXPECT_EQ(peer->Wait(), 0);
}

TEST(ProcessGroup, IsUnavailableOnceAProcessIsGone) {
  Team team = MakeTeam("leaves", 2);
  EXPECT_EQ(team.peers[0]->Wait(), 0);
  const absl::Status status = team.group->Sum({torch::ones({3})});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_NE(status.message().find("all-reduce"), std::string::npos) << status;
}

TEST(ProcessGroup, DoesNotWaitLongerThanItsTimeoutForAProcessThatNeverComes) {
  const std::chrono::milliseconds timeout(200);
  const Launch launch{.rank = 0, .size = 2};
  const auto rendezvous = *ProcessGroup::Open(launch, timeout);
  const absl::Status status =
      ProcessGroup::Join(launch, *rendezvous, ProcessGroup::Transport::kGloo, timeout).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_NE(status.message().find("process 0 joining a group of 2"), std::string::npos) << status;
}

TEST(ProcessGroup, RefusesARankOutsideTheGroup) {
  EXPECT_EQ(ProcessGroup::Open({.rank = 2, .size = 2}, kLong).status().message(), "rank 2 is outside 0..1");
}

// The values and gradients of batch norm over [8, 3, 20, 20] with values around `centre`, of which a process holds the
// rows first..last. Without a group LibTorch's own, in double, since its sums of floats lose more than ours.
std::vector<torch::Tensor> NormResults(ProcessGroup* group, int64_t first, int64_t last, torch::MemoryFormat layout,
                                       double centre) {
  torch::manual_seed(3);
  const torch::ScalarType type = group != nullptr ? torch::kFloat32 : torch::kFloat64;
  const torch::Tensor all = torch::randn({8, 3, 20, 20}) * 2 + centre, weights = torch::randn({8, 3, 20, 20});
  const torch::Tensor x = all.slice(0, first, last).to(type).clone(layout).set_requires_grad(true);
  const torch::Tensor gamma = torch::tensor({0.5, 1.0, 2.0}, type).set_requires_grad(true);
  const torch::Tensor beta = torch::tensor({0.25, 0.5, 0.75}, type).set_requires_grad(true);
  const torch::Tensor mean = torch::zeros(3, type), variance = torch::ones(3, type);
  const torch::Tensor y = group != nullptr
                              ? SynchronizedBatchNorm(*group, x, gamma, beta, mean, variance, 0.25, 1e-5)
                              : torch::batch_norm(x, gamma, beta, mean, variance, true, 0.25, 1e-5, true);
  (y * weights.slice(0, first, last)).sum().backward();
  return {y.detach(), x.grad(), gamma.grad(), beta.grad(), mean, variance};
}

void CheckNorm(ProcessGroup& group) {
  const int64_t first = group.rank() == 0 ? 0 : 3, last = group.rank() == 0 ? 3 : 8;
  for (const torch::MemoryFormat layout : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    for (const double centre : {1.0, 100.0}) {
      SCOPED_TRACE(testing::Message() << (layout == torch::MemoryFormat::Contiguous ? "NCHW" : "NHWC") << " around "
                                      << centre);
      const std::vector<torch::Tensor> whole = NormResults(nullptr, 0, 8, layout, centre);
      std::vector<torch::Tensor> part = NormResults(&group, first, last, layout, centre);
      ASSERT_TRUE(group.Sum({part[2], part[3]}).ok());
      // A mean near 100 is known to 4e-6, which a gradient meets some fifty times over.
      const double tolerance = centre == 1 ? 1e-5 : 3e-4;
      for (size_t i = 0; i < whole.size(); ++i) {
        const torch::Tensor expected = i < 2 ? whole[i].slice(0, first, last) : whole[i];
        EXPECT_TRUE(torch::allclose(part[i].to(torch::kFloat64), expected, 1e-5, tolerance))
            << i << ": " << (part[i] - expected).abs().max().item<double>();
      }
    }
  }
}

TEST(SynchronizedBatchNorm, IsTheWholeBatchsThoughItsPartsAreUnequal) {
  Team team = MakeTeam("norm", 2);
  CheckNorm(*team.group);
  EXPECT_EQ(team.peers[0]->Wait(), 0);
}

// ---- Training: two processes against one with all rows.

constexpr int kSide = 8;
constexpr int kBatch = 16;
constexpr int kSteps = 12;
constexpr char kPoints[] = "fp32,w4a4f";

enum class Norms { kOwn, kOfTheGroup };

// Noise with a brighter quarter, which is the label. `order` turns the rows of the batch, which changes nothing but the
// order in which floats are added.
std::pair<torch::Tensor, torch::Tensor> Batch(int step, int order) {
  std::mt19937_64 random(step);
  const torch::Tensor images = torch::zeros({kBatch, kSide, kSide, 1}, torch::kUInt8);
  const torch::Tensor labels = torch::zeros({kBatch}, torch::kInt64);
  for (int i = 0; i < kBatch; ++i) {
    const int row = (i + order) % kBatch;
    const int label = static_cast<int>(random() % 4);
    labels[row] = label;
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const bool bright = y / (kSide / 2) * 2 + x / (kSide / 2) == label;
        images.data_ptr<uint8_t>()[(row * kSide + y) * kSide + x] =
            static_cast<uint8_t>(random() % 200 + (bright ? 50 : 0));
      }
    }
  }
  return {images, labels};
}

// The loss of each point and step, over the whole batch. What a trainer does for a group, in few lines.
std::vector<double> LossCurve(ProcessGroup* group, Norms norms, int order = 0) {
  TrainableNetwork network(BasicBlockNetwork({.name = "small", .side = kSide, .stages = {4, 8}, .classes = 4}),
                           *ParsePoints(kPoints), *ParseRecipe("coquant"),
                           /*seed=*/group != nullptr ? 1 + group->rank() : 1);
  const std::vector<torch::Tensor> parameters = network->parameters();
  int64_t first = 0, last = kBatch;
  if (group != nullptr) {
    std::vector<torch::Tensor> state = parameters;
    for (const torch::Tensor& buffer : network->buffers()) state.push_back(buffer);
    EXPECT_TRUE(group->Broadcast(state).ok());
    first = kBatch * group->rank() / group->size();
    last = kBatch * (group->rank() + 1) / group->size();
    if (norms == Norms::kOfTheGroup) network->SynchronizeNorms(group);
  }
  network->CalibrateSteps(1, Batch(0, 0).first);
  torch::optim::SGD optimizer(parameters, 0.05);
  std::vector<double> curve;
  for (int step = 0; step < kSteps; ++step) {
    const auto [images, labels] = Batch(step, order);
    optimizer.zero_grad();
    for (int point = 0; point < 2; ++point) {
      const torch::Tensor loss = torch::cross_entropy_loss(
          network->Forward(point, images.slice(0, first, last)), labels.slice(0, first, last));
      loss.backward();
      const torch::Tensor value = loss.detach().to(torch::kFloat64).reshape({1});
      if (group != nullptr) {
        EXPECT_TRUE(group->Average({value}).ok());
      }
      curve.push_back(value.item<double>());
    }
    network->PullBackGradients();
    if (group != nullptr) {
      EXPECT_TRUE(AverageGradients(*group, parameters).ok());
      // The step's gradient is scaled by 1 / sqrt(elements), and a process has its share of them.
      for (const torch::Tensor& t : network->steps())
        t.mutable_grad().div_(std::sqrt(static_cast<double>(group->size())));
    }
    optimizer.step();
    network->WeightsChanged();
  }
  return curve;
}

// The statistics that EstimateNorms leaves, of the rows first..last of a batch in two parts.
std::vector<torch::Tensor> Estimates(ProcessGroup* group, int64_t first, int64_t last) {
  TrainableNetwork network(BasicBlockNetwork({.name = "small", .side = kSide, .stages = {4, 8}, .classes = 4}),
                           *ParsePoints(kPoints), *ParseRecipe("coquant"), /*seed=*/1);
  const torch::Tensor images = Batch(0, 0).first;
  network->CalibrateSteps(1, images);
  network->SynchronizeNorms(group);
  const torch::Tensor batches[] = {images.slice(0, first, first + 2), images.slice(0, first + 2, last)};
  for (int point = 0; point < 2; ++point) network->EstimateNorms(point, batches);
  return network->buffers();
}

void CheckEstimates(ProcessGroup& group) {
  const auto whole = Estimates(nullptr, 0, kBatch);
  const auto part = group.rank() == 0 ? Estimates(&group, 0, 5) : Estimates(&group, 5, kBatch);
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_TRUE(torch::allclose(part[i], whole[i], 1e-5, 1e-6)) << i;
}

TEST(TwoProcesses, EstimateBatchNormFromTheImagesOfBoth) {
  Team together = MakeTeam("estimates", 2);
  CheckEstimates(*together.group);
  EXPECT_EQ(together.peers[0]->Wait(), 0);
}

double LargestDifference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(TwoProcesses, TrainAsOneWithTheDoubledBatchUpToTheOrderOfAdditions) {
  const std::vector<double> one = LossCurve(nullptr, Norms::kOwn);
  // How far the order of additions alone leads: the same images, turned within the batch. A rounding can move a value
  // over a step of its quantizer, so this is no multiple of a float's epsilon, and has to be seen. Where none does,
  // eight roundings of a loss near 1 remain. Batch norm of their own, or steps scaled as if a part were the whole,
  // are far off: by 0.07 and 0.04.
  double tolerance = 1e-6;
  for (const int order : {1, 3, 5, 8}) {
    tolerance = std::max(tolerance, 4 * LargestDifference(one, LossCurve(nullptr, Norms::kOwn, order)));
  }
  ASSERT_LT(tolerance, 0.02);
  ASSERT_LT(one.back(), 0.9 * one[1]) << "nothing is learned, so nothing can differ";

  Team together = MakeTeam("train", 2);
  EXPECT_LT(LargestDifference(one, LossCurve(together.group.get(), Norms::kOfTheGroup)), tolerance);
  // With batch norm of their own the two are another training.
  EXPECT_GT(LargestDifference(one, LossCurve(together.group.get(), Norms::kOwn)), 2 * tolerance);
  EXPECT_EQ(together.peers[0]->Wait(), 0);
}

// ---- The other processes.

int RunWorker(const std::string& name, const Launch& launch) {
  const auto rendezvous = *ProcessGroup::Open(launch, kLong);
  const auto group = *ProcessGroup::Join(launch, *rendezvous, ProcessGroup::Transport::kGloo, kLong);
  if (name == "collectives") CheckCollectives(*group);
  if (name == "norm") CheckNorm(*group);
  if (name == "estimates") CheckEstimates(*group);
  if (name == "train") {
    LossCurve(group.get(), Norms::kOfTheGroup);
    LossCurve(group.get(), Norms::kOwn);
  }
  return testing::Test::HasFailure() ? 1 : 0;
}

}  // namespace
}  // namespace anybit

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  torch::set_num_threads(1);  // layers this small lose by being split
  anybit::program = argv[0];
  constexpr std::string_view kWorker = "--worker=";
  if (argc == 5 && std::string_view(argv[1]).starts_with(kWorker)) {
    const anybit::Launch launch{
        .rank = std::stoi(argv[2]), .size = std::stoi(argv[3]), .port = std::stoi(argv[4]), .serves_store = false};
    return anybit::RunWorker(argv[1] + kWorker.size(), launch);
  }
  return RUN_ALL_TESTS();
}
