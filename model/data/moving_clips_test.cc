#include "model/data/moving_clips.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/random.h"
#include "model/data/idx.h"

namespace anybit::model {
namespace {

// A light square on black, `count` times.
MemoryExamples Squares(int64_t count) {
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < count * 28 * 28; ++i) {
    const int64_t y = i / 28 % 28, x = i % 28;
    pixels.push_back(y >= 8 && y < 20 && x >= 8 && x < 20 ? 255 : 0);
  }
  return MemoryExamples({.height = 28, .width = 28}, std::vector<uint16_t>(count, 3), std::move(pixels));
}

std::vector<uint8_t> Row(const ExampleSet& set, int64_t i) {
  std::vector<uint8_t> row(set.shape().elements());
  EXPECT_TRUE(set.Read(i, row).ok());
  return row;
}

TEST(MovingClips, AreAFunctionOfObjectsShapeAndSeed) {
  const ExampleShape shape{.frames = 4, .height = 32, .width = 32};
  const MovingClips one = *MovingClips::Create(Squares(2), shape, 1), same = *MovingClips::Create(Squares(2), shape, 1);
  const MovingClips other = *MovingClips::Create(Squares(2), shape, 2);
  EXPECT_EQ(Row(one, 0), Row(same, 0));
  EXPECT_NE(Row(one, 0), Row(one, 1));
  EXPECT_NE(Row(one, 0), Row(other, 0));
  EXPECT_EQ(one.count(), 2);
  EXPECT_EQ(one.label(1), 3);
}

TEST(MovingClips, AreTheSameOnEveryMachine) {
  const MovingClips clips = *MovingClips::Create(Squares(20), {.frames = 3, .height = 32, .width = 32}, 1);
  uint64_t hash = kFnv1aOfNothing;
  for (int64_t i = 0; i < 20; ++i) {
    const std::vector<uint8_t> row = Row(clips, i);
    hash = Fnv1a({reinterpret_cast<const char*>(row.data()), row.size()}, hash);
  }
  EXPECT_EQ(hash, 11168227504690098304u);
}

TEST(MovingClips, RepeatTheGreyValueInEveryChannel) {
  const MovingClips clips =
      *MovingClips::Create(Squares(1), {.frames = 2, .height = 16, .width = 20, .channels = 3}, 1);
  const std::vector<uint8_t> row = Row(clips, 0);
  for (size_t i = 0; i < row.size(); i += 3) ASSERT_TRUE(row[i] == row[i + 1] && row[i] == row[i + 2]) << i;
}

TEST(MovingClips, RefuseFramesTooSmallAndObjectsInColour) {
  EXPECT_EQ(MovingClips::Create(Squares(1), {.height = 15, .width = 16}, 1).status().message(),
            "moving clips of 15x16x1; frames hold 16x16 pixels or more");
  EXPECT_EQ(MovingClips::Create(MemoryExamples({.height = 1, .width = 1, .channels = 3}, {0}, {1, 2, 3}),
                                {.height = 16, .width = 16}, 1)
                .status()
                .message(),
            "moving objects of 1x1x3; they are grey images");
}

// Softmax regression over the pixels of a frame, just enough to see whether several frames say more than one.
class FrameClassifier {
 public:
  static constexpr int64_t kSide = 16, kInputs = kSide * kSide + 1;
  static constexpr int kClasses = 10;

  // The frame's pixels as differences from its mean, over their spread, and a constant.
  static std::vector<double> Inputs(std::span<const uint8_t> frame) {
    std::vector<double> inputs(frame.begin(), frame.end());
    const double mean = std::accumulate(inputs.begin(), inputs.end(), 0.0) / static_cast<double>(inputs.size());
    double squares = 1;
    for (double& value : inputs) {
      value -= mean;
      squares += value * value;
    }
    for (double& value : inputs) value /= std::sqrt(squares);
    inputs.push_back(0.1);
    return inputs;
  }

  std::vector<double> Logits(const std::vector<double>& inputs) const {
    std::vector<double> logits(kClasses);
    for (int c = 0; c < kClasses; ++c) {
      logits[c] = std::inner_product(inputs.begin(), inputs.end(), weights_.begin() + c * kInputs, 0.0);
    }
    return logits;
  }

  void Learn(const std::vector<double>& inputs, int label, double rate) {
    std::vector<double> shares = Logits(inputs);
    const double most = *std::max_element(shares.begin(), shares.end());
    double sum = 0;
    for (double& share : shares) sum += share = std::exp(share - most);
    for (int c = 0; c < kClasses; ++c) {
      const double error = shares[c] / sum - (c == label);
      for (int64_t i = 0; i < kInputs; ++i) weights_[c * kInputs + i] -= rate * error * inputs[i];
    }
  }

 private:
  std::vector<double> weights_ = std::vector<double>(kClasses * kInputs);
};

// The purpose of the set. A convolutional network sees far more in both cases, see moving_clips.h.
TEST(MovingClips, SayMoreOverTheirFramesThanInOne) {
  constexpr int64_t kFrames = 8, kTraining = 3000, kTest = 2000;
  constexpr int64_t kFrame = FrameClassifier::kSide * FrameClassifier::kSide;
  const ExampleShape shape{.frames = kFrames, .height = FrameClassifier::kSide, .width = FrameClassifier::kSide};
  const MovingClips clips =
      *MovingClips::Create(*ReadIdxFolder("/usr/share/datasets/fashion-mnist", Split::kTest), shape, 1);
  FrameClassifier classifier;
  for (int64_t pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < kTraining; ++i) {
      const std::vector<uint8_t> row = Row(clips, i);
      for (int64_t f = 0; f < kFrames; ++f) {
        classifier.Learn(FrameClassifier::Inputs(std::span(row).subspan(f * kFrame, kFrame)), clips.label(i), 0.5);
      }
    }
  }
  const auto top = [](const std::vector<double>& logits) {
    return std::max_element(logits.begin(), logits.end()) - logits.begin();
  };
  int64_t by_one = 0, by_all = 0;
  for (int64_t i = kTraining; i < kTraining + kTest; ++i) {
    const std::vector<uint8_t> row = Row(clips, i);
    std::vector<double> sum(FrameClassifier::kClasses);
    for (int64_t f = 0; f < kFrames; ++f) {
      const std::vector<double> logits =
          classifier.Logits(FrameClassifier::Inputs(std::span(row).subspan(f * kFrame, kFrame)));
      by_one += top(logits) == clips.label(i);
      std::transform(sum.begin(), sum.end(), logits.begin(), sum.begin(), std::plus());
    }
    by_all += top(sum) == clips.label(i);
  }
  const double one = static_cast<double>(by_one) / (kTest * kFrames), all = static_cast<double>(by_all) / kTest;
  RecordProperty("one_frame", std::to_string(one));
  RecordProperty("all_frames", std::to_string(all));
  EXPECT_GT(one, 0.25);
  EXPECT_GT(all, one + 0.08) << one;
}

}  // namespace
}  // namespace anybit::model
