#include "scheduler/loop/asio_event_loop.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <boost/asio.hpp>

namespace anybit::scheduler {
namespace {

// Posts that a thread keeps at most: a bound on how long the first of them waits for the others.
constexpr size_t kMaxKept = 64;

}  // namespace

struct AsioEventLoop::Context {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  boost::asio::steady_timer timer{io};
};

class AsioEventLoop::Hold final : public PostHold {
 public:
  Hold() : before_(std::exchange(of_this_thread, this)) {}
  ~Hold() override {
    Flush();
    of_this_thread = before_;
  }

  // Null if this thread has none.
  static Hold* OfThisThread() { return of_this_thread; }

  void Keep(const std::shared_ptr<Context>& context, Callback callback) {
    std::vector<Callback>& callbacks = Of(context).callbacks;
    callbacks.push_back(std::move(callback));
    if (callbacks.size() == kMaxKept) Flush();
  }

  void Flush() override {
    // What is destroyed in here may post again.
    for (Kept& kept : std::exchange(kept_, {})) {
      if (kept.callbacks.size() == 1) {
        PostNow(*kept.context, std::move(kept.callbacks.front()));
      } else {
        PostNow(*kept.context, [&io = kept.context->io, callbacks = std::move(kept.callbacks)]() mutable {
          for (Callback& callback : callbacks) {
            if (!io.stopped()) std::move(callback)();
          }
        });
      }
    }
  }

 private:
  struct Kept {
    std::shared_ptr<Context> context;
    std::vector<Callback> callbacks;  // at least one, but for what has just been added
  };

  // There are few loops: one for each version of the network.
  Kept& Of(const std::shared_ptr<Context>& context) {
    for (Kept& kept : kept_) {
      if (kept.context == context) return kept;
    }
    return kept_.emplace_back(Kept{.context = context});
  }

  static thread_local Hold* of_this_thread;

  Hold* const before_;
  std::vector<Kept> kept_;
};

thread_local AsioEventLoop::Hold* AsioEventLoop::Hold::of_this_thread = nullptr;

AsioEventLoop::AsioEventLoop() : context_(std::make_shared<Context>()) {}

AsioEventLoop::~AsioEventLoop() = default;

void AsioEventLoop::Run() { context_->io.run(); }

void AsioEventLoop::Stop() { context_->io.stop(); }

MonoTime AsioEventLoop::Now() const {
  return MonoTime(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

void AsioEventLoop::Post(Callback callback) {
  if (Hold* const hold = Hold::OfThisThread()) return hold->Keep(context_, std::move(callback));
  PostNow(*context_, std::move(callback));
}

std::unique_ptr<PostHold> AsioEventLoop::HoldPosts() { return std::make_unique<Hold>(); }

void AsioEventLoop::PostNow(Context& context, Callback callback) {
  boost::asio::post(context.io, [callback = std::move(callback)]() mutable { std::move(callback)(); });
}

TimerId AsioEventLoop::PostAt(MonoTime when, Callback callback) {
  // The past counts as the present, so that code that keeps asking for it does not starve timers that are due.
  const TimerId id = timers_.Add(std::max(when, Now()), std::move(callback));
  SetTimer();
  return id;
}

bool AsioEventLoop::Cancel(TimerId timer) {
  const bool cancelled = timers_.Cancel(timer);
  SetTimer();
  return cancelled;
}

void AsioEventLoop::SetTimer() {
  const MonoTime next = timers_.next();
  if (next == timer_at_) return;
  timer_at_ = next;
  if (next == kNever) {
    context_->timer.cancel();
    return;
  }
  context_->timer.expires_at(std::chrono::steady_clock::time_point(next.time_since_epoch()));
  context_->timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) RunDueTimers();
  });
}

void AsioEventLoop::RunDueTimers() {
  // Callbacks may add, cancel or stop, so look anew each time. What gets due meanwhile waits for the next turn.
  const MonoTime now = Now();
  while (!context_->io.stopped() && !timers_.empty() && timers_.next() <= now) {
    EventLoop::Callback callback = timers_.TakeFirst();
    std::move(callback)();
  }
  timer_at_ = kNever;
  SetTimer();
}

}  // namespace anybit::scheduler
