#include "model/train/processes/process_group.h"

#include <torch/types.h>

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "model/train/processes/launch.h"
#include "model/train/testing/team.h"

namespace anybit::model::train {
namespace {

// The inputs of each process: tensors of two types, one of them strided, one larger than a bucket.
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

TEST(ProcessGroup, WaitsOnlyForItsTimeoutForAMissingProcess) {
  const std::chrono::milliseconds timeout(200);
  const Launch launch{.rank = 0, .size = 2};
  const auto rendezvous = *ProcessGroup::Open(launch, timeout);
  const absl::Status status = ProcessGroup::Join(launch, *rendezvous, ProcessGroup::Transport::kGloo, timeout).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_NE(status.message().find("process 0 joining a group of 2"), std::string::npos) << status;
}

TEST(ProcessGroup, RefusesARankOutsideTheGroup) {
  EXPECT_EQ(ProcessGroup::Open({.rank = 2, .size = 2}, kTeamTimeout).status().message(), "rank 2 is outside 0..1");
}

int Main(int argc, char** argv) {
  return RunTeamTests(argc, argv, {{"collectives", CheckCollectives}, {"leaves", [](ProcessGroup&) {}}});
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
