// A run of the program that is killed or stopped and resumed gives the same file as an uninterrupted run.
#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/train/testing/train_program.h"
#include "model/train/trainer/checkpoint.h"

namespace anybit::model::train {
namespace {

TEST(AnybitTrain, GivesTheSameFileAfterKillNineAsWithout) {
  Process whole(Flags("whole", {kTaught}));
  ASSERT_EQ(whole.Finish(), 0) << whole.output();

  {
    Process killed(Flags("killed", {kTaught}));
    ASSERT_TRUE(killed.WaitFor(" 11/20 ")) << killed.output();
    killed.Kill();
  }
  // Wherever between two steps it died: a whole checkpoint is there, and there is no result.
  const int64_t step = ReadCheckpoint(Temporary("killed.ckpt"))->step;
  EXPECT_GE(step, 9);
  EXPECT_LT(step, 20);
  EXPECT_FALSE(std::filesystem::exists(Temporary("killed.safetensors")));

  std::vector<std::string> flags = Flags("again", {kTaught, "--resume"});
  std::filesystem::rename(Temporary("killed.ckpt"), Temporary("again.ckpt"));
  Process again(flags);
  ASSERT_EQ(again.Finish(), 0) << again.output();
  EXPECT_EQ(again.output().find(" 1/20 "), std::string::npos) << again.output();
  EXPECT_EQ(FileText(Temporary("again.safetensors")), FileText(Temporary("whole.safetensors")));
}

TEST(AnybitTrain, FinishesTheStepAndSavesWhenASignalEndsItAndSaysHowToGoOn) {
  Process whole(LongFlags("unstopped", {kTaught}));
  ASSERT_EQ(whole.Finish(), 0) << whole.output();

  Process stopped(LongFlags("stopped", {kTaught, "--label=it's one"}));
  ASSERT_TRUE(stopped.WaitFor(" 7/")) << stopped.output();
  stopped.Signal(SIGTERM);
  ASSERT_EQ(stopped.Finish(), 128 + SIGTERM) << stopped.output();
  const int64_t step = ReadCheckpoint(Temporary("stopped.ckpt"))->step;
  EXPECT_GE(step, 7);
  EXPECT_NE(stopped.output().find(absl::StrCat("anybit-train: SIGTERM: stopped after step ", step, " of 88, saved in '",
                                               Temporary("stopped.ckpt"), "'\nto go on: model/train/anybit-train ")),
            std::string::npos)
      << stopped.output();
  EXPECT_FALSE(std::filesystem::exists(Temporary("stopped.safetensors")));

  ASSERT_EQ(std::system(ResumeCommandIn(stopped.output()).c_str()), 0) << ResumeCommandIn(stopped.output());
  EXPECT_EQ(FileText(Temporary("stopped.safetensors")), FileText(Temporary("unstopped.safetensors")));
}

TEST(AnybitTrain, EndsAsTheSignalSays) {
  for (const auto& [signal, name] : {std::pair(SIGINT, "SIGINT"), std::pair(SIGHUP, "SIGHUP")}) {
    Process run(LongFlags("signals"));
    ASSERT_TRUE(run.WaitFor(" 5/")) << run.output();
    run.Signal(signal);
    EXPECT_EQ(run.Finish(), 128 + signal) << run.output();
    EXPECT_NE(run.output().find(absl::StrCat("anybit-train: ", name, ": stopped after step ")), std::string::npos)
        << run.output();
    EXPECT_TRUE(ReadCheckpoint(Temporary("signals.ckpt")).ok());
  }
}

TEST(AnybitTrain, EndsAtOnceOnASecondSignal) {
  Process run(LongFlags("twice"));
  ASSERT_TRUE(run.WaitFor(" 5/")) << run.output();
  // Saving opens this file, and of a pipe that nobody reads that lasts for ever.
  ASSERT_EQ(mkfifo(Temporary("twice.ckpt.partial").c_str(), 0600), 0);
  run.Signal(SIGTERM);
  EXPECT_TRUE(run.WaitFor("the same signal again ends at once")) << run.output();
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Finish(), -SIGTERM) << run.output();
  std::filesystem::remove(Temporary("twice.ckpt.partial"));
}

// The flags without those that name a checkpoint.
std::vector<std::string> WithoutCheckpoint(std::vector<std::string> flags) {
  std::erase_if(flags, [](const std::string& flag) { return flag.starts_with("--checkpoint="); });
  return flags;
}

TEST(AnybitTrain, SavesBesideTheArtifactWhereNothingElseIsSaidAndTidiesUpWhenAllIsDone) {
  const std::string checkpoint = Temporary("beside.ckpt"), previous = Temporary("beside.ckpt.previous");
  std::filesystem::remove(previous);
  Process choosing(WithoutCheckpoint(Flags("beside", {"--joint_steps=2", "--test=false"})));
  ASSERT_EQ(choosing.Finish(), 0) << choosing.output();
  EXPECT_EQ(ReadCheckpoint(checkpoint)->step, 6) << "the test is yet to come";

  // Another run does not write over it.
  std::vector<std::string> flags = LongFlags("other", {"--out=" + Temporary("beside.safetensors")});
  Process stopped(WithoutCheckpoint(flags));
  ASSERT_TRUE(stopped.WaitFor(" 5/")) << stopped.output();
  stopped.Signal(SIGTERM);
  ASSERT_EQ(stopped.Finish(), 128 + SIGTERM) << stopped.output();
  EXPECT_GE(ReadCheckpoint(checkpoint)->step, 5);
  EXPECT_EQ(ReadCheckpoint(previous)->step, 6);
  EXPECT_NE(stopped.output().find(absl::StrCat("an earlier checkpoint is kept as '", previous, "'")), std::string::npos)
      << stopped.output();

  Process none(Flags("none", {"--checkpoint=none", "--joint_steps=2"}));
  ASSERT_EQ(none.Finish(), 0) << none.output();
  EXPECT_FALSE(std::filesystem::exists(Temporary("none.ckpt")));

  ASSERT_EQ(std::system(ResumeCommandIn(stopped.output()).c_str()), 0) << ResumeCommandIn(stopped.output());
  EXPECT_FALSE(std::filesystem::exists(checkpoint));
}

}  // namespace
}  // namespace anybit::model::train
