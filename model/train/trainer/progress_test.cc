#include "model/train/trainer/progress.h"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

TEST(ProgressText, SaysHowFarItIsAndHowLongItTakes) {
  EXPECT_EQ(ProgressText(50, 100, 50, 25, "loss 1"),
            "[============            ] 50/100  0.50 s/step  left 0:25  loss 1");
  EXPECT_EQ(ProgressText(10, 1010, 10, 100, ""), "[                        ] 10/1010  10.00 s/step  left 2:46:40  ");
  EXPECT_EQ(ProgressText(100, 100, 1, 1, "").substr(0, 26), "[========================]");
}

TEST(ProgressText, CountsOnlyItsOwnStepsAfterAResumption) {
  EXPECT_NE(ProgressText(90, 100, 10, 20, "").find("2.00 s/step  left 0:20"), std::string::npos);
}

TEST(ProgressLine, SpeaksEveryIntervalAndAtTheEndAndAsksForNothingBetween) {
  std::ostringstream out;
  ProgressLine line(out, /*live=*/false, /*interval=*/10, /*total=*/25, /*done=*/0);
  int asked = 0;
  for (int64_t step = 1; step <= 25; ++step) {
    line.Show(step, [&] {
      ++asked;
      return std::string("x");
    });
  }
  EXPECT_EQ(asked, 3);
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_NE(text.find(" 25/25 "), std::string::npos);
}

}  // namespace
}  // namespace anybit::model::train
