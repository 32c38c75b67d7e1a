// The same engine in real time: threads that submit and cancel, threads that run batches, one loop thread between them.
// Nothing here depends on how long anything takes.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "scheduler/loop/asio_event_loop.h"
#include "scheduler/policies/slackfit.h"
#include "scheduler/scheduler.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::hours;
using testing::kAnyPoint;
using testing::ThreePoints;

struct Number final : Payload {
  explicit Number(int64_t value) : value(value) {}
  int64_t value;
  int64_t doubled = 0;
};

// Doubles numbers, on one thread per slot.
class DoublingRunner final : public BatchRunner {
 public:
  DoublingRunner(EventLoop& loop, int slots) : loop_(loop), lanes_(static_cast<size_t>(slots)) {
    for (Lane& lane : lanes_) lane.thread = std::thread([this, &lane] { RunLane(lane); });
  }

  ~DoublingRunner() override {
    for (Lane& lane : lanes_) {
      {
        absl::MutexLock lock(&lane.mutex);
        lane.stopping = true;
      }
      lane.thread.join();
    }
  }

  int slots() const override { return static_cast<int>(lanes_.size()); }

  void Run(int slot, Batch batch, Done done) override {
    Lane& lane = lanes_[static_cast<size_t>(slot)];
    absl::MutexLock lock(&lane.mutex);
    EXPECT_EQ(lane.work, nullptr) << "two batches on slot " << slot;
    lane.work = std::make_unique<Work>(Work{std::move(batch), std::move(done)});
  }

 private:
  struct Work {
    Batch batch;
    Done done;
  };
  struct Lane {
    absl::Mutex mutex;
    std::unique_ptr<Work> work ABSL_GUARDED_BY(mutex);
    bool stopping ABSL_GUARDED_BY(mutex) = false;
    std::thread thread;

    bool HasSomething() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return stopping || work != nullptr; }
  };

  void RunLane(Lane& lane) {
    while (true) {
      std::unique_ptr<Work> work;
      {
        absl::MutexLock lock(&lane.mutex);
        lane.mutex.Await(absl::Condition(&lane, &Lane::HasSomething));
        if (lane.stopping) return;
        work = std::move(lane.work);
      }
      BatchResult result{.batch = std::move(work->batch), .started = loop_.Now()};
      for (const std::unique_ptr<Payload>& member : result.batch.members) {
        auto& number = static_cast<Number&>(*member);
        number.doubled = 2 * number.value;
      }
      result.finished = loop_.Now();
      std::move(work->done)(std::move(result));
    }
  }

  EventLoop& loop_;
  std::vector<Lane> lanes_;
};

TEST(RealTimeTest, EveryRequestOfManyThreadsIsAnsweredExactlyOnce) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  AsioEventLoop loop;
  DoublingRunner runner(loop, 3);
  const SlackFit policy{ThreePoints()};
  const AdmissionControl admission{};
  Scheduler scheduler(loop, runner, policy, admission, ThreePoints(), {}, {});
  std::thread loop_thread([&] { loop.Run(); });

  std::vector<std::atomic<int>> answers(kThreads * kEach);
  std::atomic<int> served = 0;
  std::atomic<int> cancelled = 0;
  absl::BlockingCounter answered(kThreads * kEach);
  const auto client = [&](int thread) {
    for (int i = 0; i < kEach; ++i) {
      const int64_t number = thread * kEach + i;
      // None can be late: deadlines are hours away, or there is none.
      const MonoTime deadline = i % 2 == 0 ? kNever : loop.Now() + hours(1 + i % 3);
      const RequestId id =
          scheduler.Submit({.deadline = deadline, .allowed = kAnyPoint, .payload = std::make_unique<Number>(number)},
                           [&, number](Outcome outcome) {
                             ++answers[static_cast<size_t>(number)];
                             if (outcome.kind == OutcomeKind::kServed) {
                               ++served;
                               EXPECT_EQ(static_cast<const Number&>(*outcome.payload).doubled, 2 * number);
                             } else {
                               ++cancelled;
                               EXPECT_EQ(outcome.kind, OutcomeKind::kCancelled) << outcome.status;
                             }
                             answered.DecrementCount();
                           });
      if (i % 5 == 0) scheduler.Cancel(id);
    }
  };
  std::vector<std::thread> clients;
  for (int thread = 0; thread < kThreads; ++thread) clients.emplace_back(client, thread);
  for (std::thread& thread : clients) thread.join();
  answered.Wait();

  absl::Notification drained;
  scheduler.Drain([&] { drained.Notify(); });
  drained.WaitForNotification();
  loop.Stop();
  loop_thread.join();
  for (const std::atomic<int>& count : answers) ASSERT_EQ(count, 1);
  EXPECT_EQ(served + cancelled, kThreads * kEach);
  EXPECT_GE(served, kThreads * kEach * 4 / 5);
}

TEST(RealTimeTest, ARequestExpiresWhileTheOnlySlotIsHeld) {
  // Holds its first batch until told to let go.
  class HoldingRunner final : public BatchRunner {
   public:
    int slots() const override { return 1; }
    void Run(int, Batch batch, Done done) override {
      held_ = [batch = std::move(batch), done = std::move(done)]() mutable {
        std::move(done)({.batch = std::move(batch)});
      };
      running.Notify();
    }
    void LetGo() { std::move(held_)(); }
    absl::Notification running;

   private:
    absl::AnyInvocable<void()> held_;
  };

  AsioEventLoop loop;
  HoldingRunner runner;
  // So fast that admission refuses nothing, however late this thread gets its turn.
  const Profile profile = testing::AffineProfile({{"fast", 0.9, Duration(1), Duration(0)}}, 8);
  const PointSet allowed = PointSet::First(1);
  const SlackFit policy(profile);
  const AdmissionControl admission{};
  Scheduler scheduler(loop, runner, policy, admission, profile, {}, {});
  std::thread loop_thread([&] { loop.Run(); });

  scheduler.Submit({.allowed = allowed}, [](Outcome) {});
  runner.running.WaitForNotification();
  absl::Notification ended;
  OutcomeKind kind{};
  const MonoTime deadline = loop.Now() + std::chrono::milliseconds(20);
  MonoTime ended_at{};
  scheduler.Submit({.deadline = deadline, .allowed = allowed}, [&](Outcome outcome) {
    kind = outcome.kind;
    ended_at = loop.Now();
    ended.Notify();
  });
  ended.WaitForNotification();  // by the timer: nothing else happens
  EXPECT_EQ(kind, OutcomeKind::kExpired);
  EXPECT_GE(ended_at, deadline);

  absl::Notification drained;
  runner.LetGo();
  scheduler.Drain([&] { drained.Notify(); });
  drained.WaitForNotification();
  loop.Stop();
  loop_thread.join();
}

}  // namespace
}  // namespace anybit::scheduler
