#include "model/train/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <iterator>

namespace anybit::model::train {
namespace {

constexpr int kHandledSignals[] = {SIGTERM, SIGINT, SIGHUP};

std::atomic<int> stop = 0;  // written by the handler, read by the program
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not wait for a lock");
bool speaking = false;                          // fixed before the handler is installed
bool handled[std::size(kHandledSignals)] = {};  // fixed before the handler is installed

// Calls only functions that are safe in a signal handler.
void Note(int signal) {
  stop = signal;
  for (size_t i = 0; i < std::size(kHandledSignals); ++i) {
    if (handled[i]) ::signal(kHandledSignals[i], SIG_DFL);
  }
  if (!speaking) return;
  constexpr char kText[] = "\nfinishing this step and saving; the same signal again ends at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
}

}  // namespace

std::atomic<int>* HandleStopSignals(bool speaks) {
  speaking = speaks;
  for (size_t i = 0; i < std::size(kHandledSignals); ++i) {
    struct sigaction before = {};
    sigaction(kHandledSignals[i], nullptr, &before);
    handled[i] = before.sa_handler != SIG_IGN;
  }
  struct sigaction action = {};
  action.sa_handler = &Note;
  // SA_RESTART: reads and writes in progress continue. SA_NODEFER: a second signal ends the process even while the
  // handler waits for a blocked terminal.
  action.sa_flags = SA_RESTART | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < std::size(kHandledSignals); ++i) {
    if (handled[i]) sigaction(kHandledSignals[i], &action, nullptr);
  }
  return &stop;
}

}  // namespace anybit::model::train
