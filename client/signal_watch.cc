#include "client/signal_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace anybit::client {

SignalWatch::SignalWatch(Interruption& interruption) : end_(eventfd(0, EFD_CLOEXEC)) {
  sigemptyset(&watched_);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction now = {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler != SIG_IGN) sigaddset(&watched_, signal);
  }
  pthread_sigmask(SIG_BLOCK, &watched_, &before_);
  thread_ = std::thread([this, &interruption] { Watch(interruption); });
}

SignalWatch::~SignalWatch() {
  eventfd_write(end_, 1);
  thread_.join();
  close(end_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void SignalWatch::Watch(Interruption& interruption) const {
  const int signals = signalfd(-1, &watched_, SFD_CLOEXEC);
  if (end_ < 0 || signals < 0) std::abort();  // no file descriptor is left for a program that has just begun
  pollfd ready[] = {{.fd = end_, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
  for (;;) {
    if (poll(ready, 2, -1) < 0) continue;  // EINTR
    if (ready[0].revents != 0) break;
    signalfd_siginfo received;
    if (read(signals, &received, sizeof received) != sizeof received) continue;
    const int signal = static_cast<int>(received.ssi_signo);
    if (interruption.Raise(signal)) continue;
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &watched_, nullptr);
    std::raise(signal);
  }
  close(signals);
}

}  // namespace anybit::client
