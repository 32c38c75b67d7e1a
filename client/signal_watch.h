// Turns SIGINT and SIGTERM into an Interruption.
#ifndef ANYBIT_CLIENT_SIGNAL_WATCH_H_
#define ANYBIT_CLIENT_SIGNAL_WATCH_H_

#include <csignal>

#include <thread>

#include "client/interruption.h"

namespace anybit::client {

// While it lives, the two signals raise `interruption`. A signal without a listener, and the second signal, end the
// process as they would have without this. A signal that is ignored, as SIGINT is in a shell's background, stays so.
// Make it before any other thread, so that all of them leave the signals to it.
class SignalWatch {
 public:
  explicit SignalWatch(Interruption& interruption);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  void Watch(Interruption& interruption) const;

  sigset_t watched_;
  sigset_t before_;
  const int end_;  // an eventfd
  std::thread thread_;
};

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_SIGNAL_WATCH_H_
