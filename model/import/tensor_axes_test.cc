#include "model/import/tensor_axes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit::model {
namespace {

using testing::ElementsAre;

const FeatureShape kMap{.height = 2, .width = 3, .channels = 4};

TEST(TensorAxes, FollowTransposesAndReshapes) {
  const TensorAxes map = TensorAxes::Map(5, kMap);
  EXPECT_THAT(map.shape(), ElementsAre(5, 4, 2, 3));
  EXPECT_TRUE(map.IsMap());
  const TensorAxes last = *map.Transposed({0, 2, 3, 1});
  EXPECT_THAT(last.shape(), ElementsAre(5, 2, 3, 4));
  EXPECT_FALSE(last.IsMap());
  EXPECT_TRUE(last.IsChannels(3));
  const TensorAxes flat = *last.Reshaped({5, 24});
  EXPECT_TRUE(flat.IsFlat());
  EXPECT_EQ(*flat.Reshaped({5, 2, 3, 4}), last);
  EXPECT_TRUE(flat.Reshaped({5, 2, 3, 4})->Transposed({0, 3, 1, 2})->IsMap());
}

TEST(TensorAxes, GiveThePlaceOfEachElementInTheMap) {
  const TensorAxes map = TensorAxes::Map(1, {.height = 1, .width = 2, .channels = 3});
  EXPECT_THAT(map.Places(), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(map.Transposed({0, 2, 3, 1})->Places(), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(TensorAxes, SplitADimensionIntoWholeParts) {
  const TensorAxes map = TensorAxes::Map(1, kMap);
  EXPECT_THAT(map.Reshaped({1, 2, 2, 2, 3})->shape(), ElementsAre(1, 2, 2, 2, 3));
  EXPECT_TRUE(map.Reshaped({1, 2, 2, 2, 3})->Reshaped({1, 4, 2, 3})->IsMap());
  EXPECT_FALSE(map.Reshaped({1, 4, 6, 2}).ok());
  EXPECT_FALSE(map.Reshaped({1, 3, 8}).ok());
  EXPECT_TRUE(map.Reshaped({1, 8, 3}).ok());
  EXPECT_TRUE(map.Reshaped({4, 1, 6, 1}).ok());
}

TEST(TensorAxes, TellTheOrderOfShuffledChannels) {
  const TensorAxes map = TensorAxes::Map(1, {.height = 2, .width = 3, .channels = 6});
  const TensorAxes rows = *map.Reshaped({1, 2, 3, 2, 3});
  EXPECT_THAT(rows.ShuffledChannels(), ElementsAre());
  const TensorAxes shuffled = *rows.Transposed({0, 2, 1, 3, 4})->Reshaped({1, 6, 2, 3});
  EXPECT_FALSE(shuffled.IsMap());
  EXPECT_THAT(shuffled.ShuffledChannels(), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(map.ShuffledChannels(), ElementsAre());
  EXPECT_THAT(map.Transposed({0, 1, 3, 2})->ShuffledChannels(), ElementsAre());
}

TEST(TensorAxes, ReduceExactlyTheRowsAndColumns) {
  const TensorAxes map = TensorAxes::Map(2, kMap);
  EXPECT_THAT(map.WithoutPlaces({false, false, true, true}, true)->shape(), ElementsAre(2, 4, 1, 1));
  EXPECT_THAT(map.WithoutPlaces({false, false, true, true}, false)->shape(), ElementsAre(2, 4));
  EXPECT_FALSE(map.WithoutPlaces({false, true, true, true}, false).ok());
  EXPECT_FALSE(map.WithoutPlaces({false, false, false, true}, false).ok());
}

TEST(TensorAxes, TakeDimensionsOfOneAsAnything) {
  const TensorAxes vector = TensorAxes::Vector(1, 6);
  EXPECT_TRUE(vector.Reshaped({1, 6, 1, 1})->IsMap());
  EXPECT_FALSE(vector.Reshaped({1, 1, 6, 1})->IsMap());
  EXPECT_TRUE(vector.Reshaped({6})->Reshaped({1, 6})->IsFlat());
}

}  // namespace
}  // namespace anybit::model
