#include "scheduler/loop/asio_event_loop.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/asio.hpp>

namespace anybit::scheduler {

struct AsioEventLoop::Context {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  boost::asio::steady_timer timer{io};
};

AsioEventLoop::AsioEventLoop() : context_(std::make_unique<Context>()) {}

AsioEventLoop::~AsioEventLoop() = default;

void AsioEventLoop::Run() { context_->io.run(); }

void AsioEventLoop::Stop() { context_->io.stop(); }

MonoTime AsioEventLoop::Now() const {
  return MonoTime(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

void AsioEventLoop::Post(Callback callback) {
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
