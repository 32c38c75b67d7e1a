#include "client/interruption.h"

#include <utility>

namespace anybit::client {

Interruption::Listener::Listener(Interruption& interruption, std::function<void()> on_raise)
    : interruption_(interruption) {
  const std::lock_guard lock(interruption_.mutex_);
  interruption_.on_raise_ = std::move(on_raise);
}

Interruption::Listener::~Listener() {
  const std::lock_guard lock(interruption_.mutex_);
  interruption_.on_raise_ = nullptr;
}

bool Interruption::Raise(int signal) {
  const std::lock_guard lock(mutex_);
  if (signal_ != 0 || on_raise_ == nullptr) return false;
  signal_ = signal;
  raised_.notify_all();
  // Under the mutex, so that the listener does not end before.
  on_raise_();
  return true;
}

bool Interruption::WaitUntil(std::chrono::steady_clock::time_point when) const {
  std::unique_lock lock(mutex_);
  return raised_.wait_until(lock, when, [this] { return signal_ != 0; });
}

}  // namespace anybit::client
