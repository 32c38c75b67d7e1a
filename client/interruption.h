// A request to end early, such as Ctrl-C. Work that has something to report listens for it.
//
//   Interruption::Listener listener(interruption, [&] { client.Cancel(); });
//   while (!interruption.WaitUntil(next)) { ... }
#ifndef ANYBIT_CLIENT_INTERRUPTION_H_
#define ANYBIT_CLIENT_INTERRUPTION_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace anybit::client {

// Any thread may call any method.
class Interruption {
 public:
  // While it lives, the interruption is heeded: the first Raise calls `on_raise` on the thread that
  // raises. One listener at a time.
  class Listener {
   public:
    Listener(Interruption& interruption, std::function<void()> on_raise);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

   private:
    Interruption& interruption_;
  };

  // `signal` is one of <csignal>, not 0. Returns false and does nothing without a listener, or if it was raised before.
  bool Raise(int signal);

  // The signal it was raised with, or 0.
  int signal() const { return signal_; }

  // Waits; true, at once, where it is raised.
  bool WaitUntil(std::chrono::steady_clock::time_point when) const;

 private:
  mutable std::mutex mutex_;  // not absl's, whose deadlines follow the wall clock
  mutable std::condition_variable raised_;
  std::atomic<int> signal_ = 0;  // written under the mutex by the raising thread, read by any
  std::function<void()> on_raise_;
};

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_INTERRUPTION_H_
