// The promises of EventLoop, on each implementation.
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "scheduler/loop/asio_event_loop.h"
#include "scheduler/sim/world/sim_event_loop.h"

namespace anybit::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// A loop, and a way to run it until the test says that all has happened.
class RealTime {
 public:
  EventLoop& loop() { return loop_; }
  void Run() { loop_.Run(); }
  void AllHappened() { loop_.Stop(); }

 private:
  AsioEventLoop loop_;
};

class VirtualTime {
 public:
  EventLoop& loop() { return loop_; }
  void Run() { loop_.Run(); }
  void AllHappened() {}

 private:
  scheduler::sim::SimEventLoop loop_;
};

template <typename Time>
class EventLoopTest : public ::testing::Test {
 protected:
  Time time_;
  EventLoop& loop_ = time_.loop();
  std::vector<int> order_;

  EventLoop::Callback Note(int n) {
    return [this, n] { order_.push_back(n); };
  }
  EventLoop::Callback NoteAndEnd(int n) {
    return [this, n] {
      order_.push_back(n);
      time_.AllHappened();
    };
  }
};

struct NameOfTime {
  template <typename Time>
  static std::string GetName(int) {
    return std::is_same_v<Time, RealTime> ? "Asio" : "Sim";
  }
};

using Times = ::testing::Types<RealTime, VirtualTime>;
TYPED_TEST_SUITE(EventLoopTest, Times, NameOfTime);

using Order = std::vector<int>;

TYPED_TEST(EventLoopTest, RunsWhatIsPostedInPostingOrder) {
  for (int i = 0; i < 100; ++i) this->loop_.Post(this->Note(i));
  this->loop_.Post(this->NoteAndEnd(100));
  this->time_.Run();
  ASSERT_EQ(this->order_.size(), 101u);
  for (int i = 0; i <= 100; ++i) EXPECT_EQ(this->order_[static_cast<size_t>(i)], i);
}

TYPED_TEST(EventLoopTest, WhatACallbackPostsRunsAfterWhatWasPostedBefore) {
  this->loop_.Post([this] {
    this->order_.push_back(1);
    this->loop_.Post(this->NoteAndEnd(3));
    this->order_.push_back(-1);  // and not inside the callback that posts
  });
  this->loop_.Post(this->Note(2));
  this->time_.Run();
  EXPECT_EQ(this->order_, (Order{1, -1, 2, 3}));
}

TYPED_TEST(EventLoopTest, TimersRunByInstantAndEqualInstantsInPostingOrder) {
  this->loop_.Post([this] {
    const MonoTime now = this->loop_.Now();
    this->loop_.PostAt(now + milliseconds(3), this->NoteAndEnd(5));
    this->loop_.PostAt(now + milliseconds(2), this->Note(2));
    this->loop_.PostAt(now + milliseconds(1), this->Note(1));
    this->loop_.PostAt(now + milliseconds(2), this->Note(3));
    this->loop_.PostAt(now + milliseconds(2), this->Note(4));
  });
  this->time_.Run();
  EXPECT_EQ(this->order_, (Order{1, 2, 3, 4, 5}));
}

TYPED_TEST(EventLoopTest, ATimerNeverRunsEarly) {
  std::vector<Duration> early;
  this->loop_.Post([&] {
    const MonoTime now = this->loop_.Now();
    for (int i = 0; i <= 20; ++i) {
      const MonoTime when = now + microseconds(137 * i);
      this->loop_.PostAt(when, [&, when, last = i == 20] {
        if (this->loop_.Now() < when) early.push_back(when - this->loop_.Now());
        if (last) this->time_.AllHappened();
      });
    }
  });
  this->time_.Run();
  EXPECT_TRUE(early.empty());
}

TYPED_TEST(EventLoopTest, AnInstantAlreadyPastRunsAsSoonAsTheLoopTurns) {
  this->loop_.Post([this] {
    this->loop_.PostAt(MonoTime::min(), this->Note(1));
    this->loop_.PostAt(this->loop_.Now(), this->NoteAndEnd(2));
    this->order_.push_back(0);
  });
  this->time_.Run();
  EXPECT_EQ(this->order_, (Order{0, 1, 2}));
}

TYPED_TEST(EventLoopTest, ACancelledTimerNeverRuns) {
  this->loop_.Post([this] {
    const MonoTime now = this->loop_.Now();
    const TimerId timer = this->loop_.PostAt(now + milliseconds(1), this->Note(1));
    this->loop_.PostAt(now + milliseconds(2), this->NoteAndEnd(2));
    EXPECT_TRUE(this->loop_.Cancel(timer));
    EXPECT_FALSE(this->loop_.Cancel(timer));
    EXPECT_FALSE(this->loop_.Cancel(TimerId::kNone));
  });
  this->time_.Run();
  EXPECT_EQ(this->order_, (Order{2}));
}

TYPED_TEST(EventLoopTest, ATimerMayCancelAnotherOfItsOwnInstant) {
  this->loop_.Post([this] {
    const MonoTime when = this->loop_.Now() + milliseconds(1);
    auto second = std::make_shared<TimerId>();
    this->loop_.PostAt(when, [this, second] { EXPECT_TRUE(this->loop_.Cancel(*second)); });
    *second = this->loop_.PostAt(when, this->Note(2));
    this->loop_.PostAt(when, this->NoteAndEnd(3));
  });
  this->time_.Run();
  EXPECT_EQ(this->order_, (Order{3}));
}

TYPED_TEST(EventLoopTest, CancellingATimerThatRanIsFalse) {
  this->loop_.Post([this] {
    auto timer = std::make_shared<TimerId>();
    *timer = this->loop_.PostAt(this->loop_.Now(), [this, timer] {
      EXPECT_FALSE(this->loop_.Cancel(*timer));
      this->time_.AllHappened();
    });
  });
  this->time_.Run();
}

TYPED_TEST(EventLoopTest, AnEarlierTimerOvertakesOneAlreadySet) {
  this->loop_.Post([this] {
    const TimerId far = this->loop_.PostAt(this->loop_.Now() + hours(24 * 365), this->Note(0));
    this->loop_.PostAt(this->loop_.Now() + milliseconds(1), [this, far] {
      this->order_.push_back(1);
      this->loop_.Cancel(far);
      this->time_.AllHappened();
    });
  });
  this->time_.Run();
  EXPECT_EQ(this->order_, (Order{1}));
}

TYPED_TEST(EventLoopTest, TimersAtTheEndOfTimeHarmNothing) {
  this->loop_.Post([this] {
    const TimerId never = this->loop_.PostAt(kNever, this->Note(0));
    const TimerId last = this->loop_.PostAt(kNever - Duration(1), this->Note(0));
    this->loop_.PostAt(this->loop_.Now() + milliseconds(1), [this, never, last] {
      EXPECT_TRUE(this->loop_.Cancel(never));
      EXPECT_TRUE(this->loop_.Cancel(last));
      this->time_.AllHappened();
    });
  });
  this->time_.Run();
  EXPECT_TRUE(this->order_.empty());
}

TYPED_TEST(EventLoopTest, TimeNeverGoesBack) {
  MonoTime last = this->loop_.Now();
  int left = 1000;
  std::function<void()> look = [&] {
    const MonoTime now = this->loop_.Now();
    EXPECT_GE(now, last);
    last = now;
    if (--left == 0) return this->time_.AllHappened();
    this->loop_.Post(look);
  };
  this->loop_.Post(look);
  this->time_.Run();
  EXPECT_EQ(left, 0);
}

TYPED_TEST(EventLoopTest, AnyThreadMayPostAndItRunsOnTheLoopThread) {
  constexpr int kEach = 500;
  int ran = 0;
  const auto poster = [&] {
    for (int i = 0; i < kEach; ++i) {
      this->loop_.Post([&, loop_thread = std::this_thread::get_id()] {
        EXPECT_NE(std::this_thread::get_id(), loop_thread);
        ++ran;  // no lock: one callback at a time
      });
    }
  };
  std::thread first(poster);
  std::thread second(poster);
  first.join();
  second.join();
  this->loop_.Post([this] { this->time_.AllHappened(); });
  this->time_.Run();
  EXPECT_EQ(ran, 2 * kEach);
}

TEST(AsioEventLoopTest, StopsFromAnotherThreadWhileItRuns) {
  AsioEventLoop loop;
  absl::Notification running;
  std::thread loop_thread([&] { loop.Run(); });
  loop.Post([&] { running.Notify(); });
  running.WaitForNotification();
  loop.Stop();
  loop_thread.join();
}

TEST(AsioEventLoopTest, RunReturnsAtOnceAfterStop) {
  AsioEventLoop loop;
  bool ran = false;
  loop.Post([&] { ran = true; });
  loop.Stop();
  loop.Run();
  EXPECT_FALSE(ran);
}

TEST(AsioEventLoopTest, CallbacksThatNeverRanAreDestroyedWithTheLoop) {
  auto owned = std::make_shared<int>(1);
  {
    AsioEventLoop loop;
    loop.Post([owned] {});
    loop.PostAt(loop.Now() + hours(1), [owned] {});
    EXPECT_EQ(owned.use_count(), 3);
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(AsioEventLoopTest, ATimerThatIsAlwaysDueDoesNotStarvePostedCallbacks) {
  AsioEventLoop loop;
  bool stopped = false;
  std::function<void()> again = [&] {
    if (!stopped) loop.PostAt(MonoTime(), again);
  };
  loop.Post([&] {
    again();
    loop.PostAt(loop.Now(), [&] {
      loop.Post([&] {
        stopped = true;
        loop.Stop();
      });
    });
  });
  loop.Run();
  EXPECT_TRUE(stopped);
}

TYPED_TEST(EventLoopTest, PostsThatAreHeldRunInTheirOrderOnceTheyAreFlushed) {
  std::unique_ptr<PostHold> hold = this->loop_.HoldPosts();
  this->loop_.Post(this->Note(1));
  this->loop_.Post(this->Note(2));
  if (hold != nullptr) hold->Flush();
  this->loop_.Post(this->NoteAndEnd(3));
  hold.reset();
  this->time_.Run();
  EXPECT_EQ(this->order_, (std::vector<int>{1, 2, 3}));
}

TEST(AsioEventLoopTest, WhatOneThreadHoldsIsKeptFromTheLoopAndWhatOthersPostIsNot) {
  AsioEventLoop loop;
  std::thread runs([&] { loop.Run(); });
  absl::Notification held_ran, other_ran;
  const std::unique_ptr<PostHold> hold = loop.HoldPosts();
  loop.Post([&] { held_ran.Notify(); });
  std::thread([&] { loop.Post([&] { other_ran.Notify(); }); }).join();
  other_ran.WaitForNotification();
  EXPECT_FALSE(held_ran.HasBeenNotified());
  hold->Flush();
  held_ran.WaitForNotification();
  loop.Stop();
  runs.join();
}

TEST(AsioEventLoopTest, PostsToOtherLoopsAreHeldTooAndALoopMayEndBeforeTheyAreFlushed) {
  AsioEventLoop loop, other;
  std::vector<int> order;
  const std::unique_ptr<PostHold> hold = loop.HoldPosts();
  other.Post([&] { order.push_back(1); });
  other.Post([&] {
    order.push_back(2);
    other.Stop();
  });
  auto ended = std::make_unique<AsioEventLoop>();
  ended->Post([&] { order.push_back(3); });
  ended.reset();
  EXPECT_EQ(order, std::vector<int>());
  hold->Flush();
  other.Run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(AsioEventLoopTest, AStopAmongHeldPostsEndsTheLoopAfterThePresentOne) {
  AsioEventLoop loop;
  std::vector<int> order;
  {
    const std::unique_ptr<PostHold> hold = loop.HoldPosts();
    loop.Post([&] {
      order.push_back(1);
      loop.Stop();
    });
    loop.Post([&] { order.push_back(2); });
  }
  loop.Run();
  EXPECT_EQ(order, std::vector<int>{1});
}

}  // namespace
}  // namespace anybit::scheduler
