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
  explicit Hold(AsioEventLoop& loop) : loop_(loop), before_(std::exchange(of_this_thread, this)) {}
  ~Hold() override {
    Flush();
    of_this_thread = before_;
  }

  // The hold of this thread for `loop`; null if there is none.
  static Hold* Of(const AsioEventLoop* loop) {
    return of_this_thread != nullptr && &of_this_thread->loop_ == loop ? of_this_thread : nullptr;
  }

  void Keep(Callback callback) {
    kept_.push_back(std::move(callback));
    if (kept_.size() == kMaxKept) Flush();
  }

  void Flush() override {
    if (kept_.empty()) return;
    if (kept_.size() == 1) {
      loop_.PostNow(std::move(kept_.front()));
    } else {
      loop_.PostNow([&io = loop_.context_->io, kept = std::exchange(kept_, {})]() mutable {
        for (Callback& callback : kept) {
          if (!io.stopped()) std::move(callback)();
        }
      });
    }
    kept_.clear();
  }

 private:
  static thread_local Hold* of_this_thread;

  AsioEventLoop& loop_;
  Hold* const before_;
  std::vector<Callback> kept_;
};

thread_local AsioEventLoop::Hold* AsioEventLoop::Hold::of_this_thread = nullptr;

AsioEventLoop::AsioEventLoop() : context_(std::make_unique<Context>()) {}

AsioEventLoop::~AsioEventLoop() = default;

void AsioEventLoop::Run() { context_->io.run(); }

void AsioEventLoop::Stop() { context_->io.stop(); }

MonoTime AsioEventLoop::Now() const {
  return MonoTime(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

void AsioEventLoop::Post(Callback callback) {
  if (Hold* const hold = Hold::Of(this)) return hold->Keep(std::move(callback));
  PostNow(std::move(callback));
}

std::unique_ptr<PostHold> AsioEventLoop::HoldPosts() { return std::make_unique<Hold>(*this); }

void AsioEventLoop::PostNow(Callback callback) {
  boost::asio::post(context_->io, [callback = std::move(callback)]() mutable { std::move(callback)(); });
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
