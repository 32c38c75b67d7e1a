#include "model/engine/panel_cache.h"

#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"

namespace anybit::model {
namespace {

constexpr PointId kA = ToPointId(0), kB = ToPointId(1), kC = ToPointId(2);

// A cache of three points whose panels take 10, 20 and 30 bytes, and the points that were packed, in order.
struct Rig {
  explicit Rig(int64_t limit)
      : cache(3, limit, [this](PointId point) {
          packed.push_back(point);
          return std::make_shared<PointPanels>(PointPanels{.bytes = 10 * (ToIndex(point) + 1)});
        }) {}

  std::vector<PointId> packed;
  PanelCache cache;
};

using Points = std::vector<PointId>;

TEST(PanelCacheTest, PacksAPointOnce) {
  Rig rig(100);
  EXPECT_EQ(rig.cache.bytes(), 0);
  const auto first = rig.cache.Get(kB);
  EXPECT_EQ(rig.cache.Get(kB), first);
  EXPECT_EQ(rig.packed, Points{kB});
  EXPECT_EQ(rig.cache.bytes(), 20);
}

TEST(PanelCacheTest, DropsTheLeastRecentlyUsedPointAboveTheLimit) {
  Rig rig(40);
  rig.cache.Get(kA);
  rig.cache.Get(kB);
  rig.cache.Get(kA);
  rig.cache.Get(kC);
  EXPECT_EQ(rig.cache.bytes(), 40) << "B, whose use is longest ago, had to be dropped";
  rig.cache.Get(kA);
  EXPECT_EQ(rig.packed, (Points{kA, kB, kC}));
  rig.cache.Get(kB);
  EXPECT_EQ(rig.packed, (Points{kA, kB, kC, kB}));
}

TEST(PanelCacheTest, TellsWhichPointsItHas) {
  Rig rig(40);
  EXPECT_FALSE(rig.cache.Has(kA));
  rig.cache.Get(kA);
  rig.cache.Get(kB);
  EXPECT_TRUE(rig.cache.Has(kA));  // which is no use of it
  rig.cache.Get(kC);
  EXPECT_FALSE(rig.cache.Has(kA));
  EXPECT_TRUE(rig.cache.Has(kC));
}

TEST(PanelCacheTest, HoldsTheLimitAfterEveryCall) {
  for (int64_t limit : {0, 10, 30, 35, 50}) {
    Rig rig(limit);
    for (PointId point : {kA, kB, kC, kB, kA, kC, kA}) {
      const int64_t own = rig.cache.Get(point)->bytes;
      EXPECT_LE(rig.cache.bytes(), std::max(limit, own)) << "limit " << limit;
    }
  }
}

TEST(PanelCacheTest, KeepsThePointUsedLastWhateverItsSize) {
  Rig rig(0);
  rig.cache.Get(kC);
  EXPECT_EQ(rig.cache.bytes(), 30);
  rig.cache.Get(kA);
  EXPECT_EQ(rig.cache.bytes(), 10);
}

TEST(PanelCacheTest, LeavesDroppedPanelsToTheBatchThatHoldsThem) {
  Rig rig(0);
  const auto held = rig.cache.Get(kA);
  rig.cache.Get(kB);
  EXPECT_EQ(held->bytes, 10);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(PanelCacheTest, DropsWhatAChangeConcerns) {
  Rig rig(100);
  rig.cache.Get(kA);
  rig.cache.Get(kB);
  EXPECT_TRUE(rig.cache.Change(kA, [] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(rig.cache.bytes(), 20);
  EXPECT_FALSE(rig.cache.Change([] { return absl::InvalidArgumentError("no such kernel"); }).ok());
  EXPECT_EQ(rig.cache.bytes(), 20) << "a change that fails drops nothing";
  EXPECT_TRUE(rig.cache.Change([] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(rig.cache.bytes(), 0);
}

TEST(PanelCacheTest, AnswersForPackedPointsWhileAnotherIsBeingPacked) {
  absl::Notification begun, may_end;
  PanelCache cache(2, 100, [&](PointId point) {
    if (point == kB) {
      begun.Notify();
      may_end.WaitForNotification();
    }
    return std::make_shared<PointPanels>();
  });
  cache.Get(kA);
  std::thread packer([&] { cache.Get(kB); });
  begun.WaitForNotification();
  EXPECT_NE(cache.Get(kA), nullptr);  // for ever, if it waited
  may_end.Notify();
  packer.join();
}

}  // namespace
}  // namespace anybit::model
