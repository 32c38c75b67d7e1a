#include "model/train/run_commands.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/train/testing/runs.h"

namespace anybit::model::train {
namespace {

TEST(CheckAlike, RefusesAMeanOverDifferentCommands) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs[0].set_command("anybit-train --start=a.seed1.safetensors --seed=1 --batch=8");
  runs[1].set_command("anybit-train --start=a.seed2.safetensors --seed=2 --batch=8");
  EXPECT_TRUE(CheckAlike(runs).ok()) << CheckAlike(runs);
  runs[1].set_command("anybit-train --start=a.seed2.safetensors --seed=2 --batch=16");
  EXPECT_EQ(CheckAlike(runs).message(),
            "runs called 'coquant' differ in more than their seeds: [anybit-train --start=a.seed1.safetensors --seed=1 "
            "--batch=8] and [anybit-train --start=a.seed2.safetensors --seed=2 --batch=16]");
}

TEST(CheckAlike, AcceptsRunsOfOneNameWithOnePointEach) {
  std::vector<TrainingRun> runs = {MakeRun("nearest", 1, {PointOf("w4a4", 4, 4, .8)}),
                                   MakeRun("nearest", 1, {PointOf("w3a3", 3, 3, .7)})};
  runs[0].set_command("anybit-import --points=w4a4");
  runs[1].set_command("anybit-import --points=w3a3");
  EXPECT_TRUE(CheckAlike(runs).ok()) << CheckAlike(runs);
  runs[1].set_command("anybit-import --points=w3a3 --rounding=joint");
  EXPECT_FALSE(CheckAlike(runs).ok());
}

TEST(DistinctCommands, AreTheFirstOfThoseThatDifferOnlyInTheirSeeds) {
  std::vector<TrainingRun> runs = TwoRecipes();
  runs[0].set_command("anybit-import --weights=a.seed1.safetensors");
  runs[1].set_command("anybit-import --weights=a.seed2.safetensors");
  EXPECT_EQ(DistinctCommands(runs), (std::vector<std::string>{"anybit-import --weights=a.seed1.safetensors",
                                                              "anybit-train --recipe=separate"}));
}

}  // namespace
}  // namespace anybit::model::train
