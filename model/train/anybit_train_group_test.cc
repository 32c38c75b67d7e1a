// Two processes of the program train one network: as one process does, and they end, resume and fail together.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/format/artifact.h"
#include "model/train/processes/process_group.h"
#include "model/train/testing/image_folder.h"
#include "model/train/testing/train_program.h"
#include "model/train/trainer/checkpoint.h"

namespace anybit::model::train {
namespace {

// The losses of every step, as shown.
std::vector<std::vector<double>> LossCurve(const std::string& said) {
  std::vector<std::vector<double>> curve;
  for (absl::string_view line : absl::StrSplit(said, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits("  loss ", 1));
    if (parts.second.empty()) continue;
    std::vector<double>& losses = curve.emplace_back();
    for (absl::string_view word : absl::StrSplit(parts.second, ' ')) {
      double loss = 0;
      if (absl::SimpleAtod(word, &loss)) losses.push_back(loss);
    }
  }
  return curve;
}

double LargestDifference(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (size_t step = 0; step < std::min(a.size(), b.size()); ++step) {
    if (a[step].size() != b[step].size()) return INFINITY;
    for (size_t i = 0; i < a[step].size(); ++i) largest = std::max(largest, std::abs(a[step][i] - b[step][i]));
  }
  return largest;
}

// Two processes, told what torchrun tells its own.
class Two {
 public:
  explicit Two(const std::vector<std::string>& flags) : Two(flags, flags) {}
  Two(const std::vector<std::string>& flags, const std::vector<std::string>& others)
      : store_(*ProcessGroup::Open({.size = 2}, std::chrono::seconds(60))),
        first(flags, Environment(0)),
        second(others, Environment(1)) {}

 private:
  std::vector<std::string> Environment(int rank) const {
    return {absl::StrCat("RANK=", rank),
            absl::StrCat("LOCAL_RANK=", rank),
            "WORLD_SIZE=2",
            "MASTER_ADDR=localhost",
            absl::StrCat("MASTER_PORT=", store_->port()),
            "TORCHELASTIC_USE_AGENT_STORE=True"};
  }

  const std::unique_ptr<ProcessGroup::Rendezvous> store_;

 public:
  Process first, second;
};

std::vector<std::vector<double>> CurveOfTwo(const std::string& name, std::vector<std::string> more) {
  Two two(BriefFlags(name, std::move(more)));
  EXPECT_EQ(two.first.Finish(), 0) << two.first.output();
  EXPECT_EQ(two.second.Finish(), 0) << two.second.output();
  EXPECT_EQ(two.second.output(), "");  // the first one speaks for both
  return LossCurve(two.first.output());
}

std::vector<std::vector<double>> CurveOfOne(const std::string& name, std::vector<std::string> more) {
  // Threads that wait for others make room for them: there are more than processors.
  Process run(BriefFlags(name, std::move(more)), {"OMP_WAIT_POLICY=PASSIVE"});
  EXPECT_EQ(run.Finish(), 0) << run.output();
  return LossCurve(run.output());
}

// Losses are shown to .001, both of a pair rounded.
constexpr double kShown = 0.001 + 1e-9;

TEST(AnybitTrain, TrainsInTwoProcessesAsInOneWithTheDoubledBatch) {
  const std::vector<std::vector<double>> one = CurveOfOne("one", {"--points=fp32", "--batch=32"});
  ASSERT_EQ(one.size(), 12u);
  EXPECT_LE(LargestDifference(one, CurveOfTwo("two", {"--points=fp32", "--batch=16"})), kShown);
  EXPECT_TRUE(ReadArtifact(Temporary("two.safetensors")).ok());
  // With batch norm of their own the two are another training.
  EXPECT_GT(LargestDifference(one, CurveOfTwo("two", {"--points=fp32", "--batch=16", "--sync_norm=false"})),
            2 * kShown);
}

// A rounding can move a value over a step of its quantizer, so how far the order of additions alone leads has to be
// seen: other numbers of threads change nothing else.
TEST(AnybitTrain, TrainsQuantizedPointsInTwoProcessesAsInOneUpToTheOrderOfAdditions) {
  const auto flags = [](const char* batch, int threads) {
    return std::vector<std::string>{absl::StrCat("--batch=", batch), absl::StrCat("--threads=", threads)};
  };
  const std::vector<std::vector<double>> one = CurveOfOne("one", flags("32", 1));
  ASSERT_EQ(one.size(), 12u);
  double tolerance = kShown;
  for (int threads : {2, 3}) {
    tolerance = std::max(tolerance, 2 * LargestDifference(one, CurveOfOne("one", flags("32", threads))));
  }
  ASSERT_LT(tolerance, 0.02);
  EXPECT_LE(LargestDifference(one, CurveOfTwo("two", flags("16", 1))), tolerance);
}

// The activation steps in a checkpoint.
std::vector<float> StepsIn(const std::string& name) {
  std::vector<float> steps;
  const Checkpoint checkpoint = *ReadCheckpoint(Temporary(name + ".ckpt"));
  for (const auto& [tensor, values] : checkpoint.tensors) {
    if (tensor.starts_with("network.") && tensor.ends_with("_step")) steps.push_back(values.values[0]);
  }
  return steps;
}

// LSQ scales their gradients by 1 / sqrt(elements), of which a process has half.
TEST(AnybitTrain, MovesActivationStepsInTwoProcessesAsInOne) {
  const auto flags = [](const char* batch, const char* rate) {
    return std::vector<std::string>{"--start_steps=0", "--joint_steps=1", "--recipe=coquant,step_rate=10",
                                    absl::StrCat("--batch=", batch), absl::StrCat("--learning_rate=", rate)};
  };
  CurveOfOne("still", flags("32", "1e-9"));
  CurveOfOne("one", flags("32", "1"));
  CurveOfTwo("two", flags("16", "1"));
  const std::vector<float> still = StepsIn("still"), one = StepsIn("one"), two = StepsIn("two");
  ASSERT_GT(one.size(), 5u);
  double moved = 0, apart = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    moved += std::abs(one[i] - still[i]);
    apart += std::abs(two[i] - one[i]);
  }
  EXPECT_LT(apart, 0.05 * moved);  // a factor of sqrt(2) is .41
}

TEST(AnybitTrain, GoesOnInTwoProcessesAsIfNeitherHadEverBeenKilled) {
  CurveOfTwo("two_whole", {});
  {
    Two two(BriefFlags("two_killed", {}));
    ASSERT_TRUE(two.first.WaitFor(" 8/12 ")) << two.first.output();
    two.first.Kill();
    // The remaining process ends soon and prints the reason.
    EXPECT_EQ(two.second.Finish(), 1);
    EXPECT_NE(two.second.output().find("anybit-train: "), std::string::npos) << two.second.output();
  }
  const std::vector<std::string> flags = BriefFlags("two_again", {"--resume"});
  std::filesystem::rename(Temporary("two_killed.ckpt"), Temporary("two_again.ckpt"));
  Two two(flags);
  ASSERT_EQ(two.first.Finish(), 0) << two.first.output();
  ASSERT_EQ(two.second.Finish(), 0) << two.second.output();
  EXPECT_EQ(two.first.output().find(" 1/12 "), std::string::npos) << two.first.output();
  EXPECT_EQ(FileText(Temporary("two_again.safetensors")), FileText(Temporary("two_whole.safetensors")));
}

TEST(AnybitTrain, EndsInAllProcessesWhenASignalReachesOne) {
  {
    Two two(LongFlags("two_stopped"));
    ASSERT_TRUE(two.first.WaitFor(" 7/")) << two.first.output();
    two.second.Signal(SIGINT);
    EXPECT_EQ(two.first.Finish(), 128 + SIGINT) << two.first.output();
    EXPECT_EQ(two.second.Finish(), 128 + SIGINT) << two.second.output();
    EXPECT_EQ(two.second.output(), "");
    EXPECT_NE(two.first.output().find("\nto go on, in all 2 processes: model/train/anybit-train "), std::string::npos)
        << two.first.output();
  }
  const int64_t step = ReadCheckpoint(Temporary("two_stopped.ckpt"))->step;
  std::filesystem::rename(Temporary("two_stopped.ckpt"), Temporary("two_kept.ckpt"));
  const std::vector<std::string> flags = LongFlags("two_stopped", {"--resume"});
  std::filesystem::rename(Temporary("two_kept.ckpt"), Temporary("two_stopped.ckpt"));
  Two again(flags);
  ASSERT_EQ(again.first.Finish(), 0) << again.first.output();
  ASSERT_EQ(again.second.Finish(), 0) << again.second.output();
  EXPECT_EQ(again.first.output().find(absl::StrCat(" ", step, "/")), std::string::npos) << again.first.output();
  EXPECT_NE(again.first.output().find(absl::StrCat(" ", step + 1, "/")), std::string::npos) << again.first.output();
}

TEST(AnybitTrain, FindsTheSameDamagedImagesInTwoProcesses) {
  const std::string folder = ImageFolder("two_damaged", {"train", "test"});
  CutInTheMiddle(folder + "/train/class1/3.png");
  CutInTheMiddle(folder + "/train/class1/4.png");
  const std::vector<std::string> flags =
      BriefFlags("two_damaged", {"--data=" + folder, "--held_out=8", "--points=fp32", "--batch=8", "--max_damaged=2"});
  Two two(flags);
  EXPECT_EQ(two.first.Finish(), 0) << two.first.output();
  EXPECT_EQ(two.second.Finish(), 0) << two.second.output();
  EXPECT_EQ(two.second.output(), "");
  for (const char* file : {"3.png", "4.png"}) {
    EXPECT_NE(two.first.output().find(absl::StrCat("damaged, left out: '", folder, "/train/class1/", file)),
              std::string::npos)
        << two.first.output();
  }
}

TEST(AnybitTrain, RefusesProcessesThatWereStartedForDifferentRuns) {
  const std::vector<std::string> flags = BriefFlags("unlike", {}),
                                 others = BriefFlags("unlike", {"--weight_decay=0.5"});
  Two two(flags, others);
  EXPECT_EQ(two.second.Finish(), 1);
  EXPECT_NE(two.second.output().find("process 1 was started for another run than process 0"), std::string::npos)
      << two.second.output();
  EXPECT_EQ(two.first.Finish(), 1);
}

}  // namespace
}  // namespace anybit::model::train
