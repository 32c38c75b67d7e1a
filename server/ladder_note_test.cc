#include "server/ladder_note.h"

#include <chrono>

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

using std::chrono::microseconds;

scheduler::Profile ProfileOf(std::vector<std::vector<Duration>> latency) {
  scheduler::Profile profile{.max_batch = 2, .latency = std::move(latency)};
  const char* names[] = {"fp32", "w8a8", "w1a1"};
  for (size_t i = 0; i < profile.latency.size(); ++i) profile.points.push_back({.name = names[i], .accuracy = 0.9});
  return profile;
}

TEST(LadderNote, SaysThatEachPointPays) {
  EXPECT_EQ(LadderNote(ProfileOf({{microseconds(400), microseconds(800)},
                                  {microseconds(100), microseconds(200)},
                                  {microseconds(50), microseconds(100)}})),
            "ladder: each point is at least as fast as the one before it, at every batch size");
}

TEST(LadderNote, OverlooksWhatMeasurementsScatter) {
  EXPECT_EQ(LadderNote(ProfileOf({{microseconds(100), microseconds(200)}, {microseconds(105), microseconds(190)}})),
            "ladder: each point is at least as fast as the one before it, at every batch size");
}

TEST(LadderNote, NamesThePointThatDoesNotPayAndWhereMost) {
  EXPECT_EQ(LadderNote(ProfileOf({{microseconds(400), microseconds(800)},
                                  {microseconds(100), microseconds(200)},
                                  {microseconds(110), microseconds(250)}})),
            "ladder: w1a1 is up to 25 % slower than w8a8 (2 rows)");
}

TEST(LadderNote, NeedsTwoPoints) {
  EXPECT_EQ(LadderNote(ProfileOf({{microseconds(4), microseconds(8)}})), "ladder: one point");
}

}  // namespace
}  // namespace anybit::server
