#include "model/train/resume_command.h"

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

TEST(ResumeCommand, IsTheSameCommandWithResume) {
  EXPECT_EQ(ResumeCommand({"bin/anybit-train", "--arch=fashion", "--seed", "3"}),
            "bin/anybit-train --arch=fashion --seed 3 --resume");
}

TEST(ResumeCommand, DoesNotSayResumeTwiceAndLetsItWin) {
  EXPECT_EQ(ResumeCommand({"t", "--resume"}), "t --resume");
  EXPECT_EQ(ResumeCommand({"t", "-resume=true", "--seed=1"}), "t -resume=true --seed=1");
  EXPECT_EQ(ResumeCommand({"t", "--resume", "--noresume"}), "t --resume --noresume --resume");
  EXPECT_EQ(ResumeCommand({"t", "--resume=false"}), "t --resume=false --resume");
}

TEST(ResumeCommand, QuotesWhatAShellWouldReadOtherwise) {
  EXPECT_EQ(ResumeCommand({"t", "--out=/a b/$x.safetensors", "--label=it's", ""}),
            "t '--out=/a b/$x.safetensors' '--label=it'\\''s' '' --resume");
}

}  // namespace
}  // namespace anybit::model::train
