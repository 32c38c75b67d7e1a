#include "model/train/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <iterator>

namespace anybit {
namespace {

constexpr int kHandled[] = {SIGTERM, SIGINT, SIGHUP};

std::atomic<int> stop = 0;  // the handler's and the program's
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not wait for a lock");
bool speaking = false;                   // fixed before the handler is there
bool handled[std::size(kHandled)] = {};  // likewise

// May call only what is safe in a signal handler.
void Note(int signal) {
  stop = signal;
  for (size_t i = 0; i < std::size(kHandled); ++i) {
    if (handled[i]) ::signal(kHandled[i], SIG_DFL);
  }
  if (!speaking) return;
  constexpr char kText[] = "\nfinishing this step and saving; the same signal again ends at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
}

}  // namespace

std::atomic<int>* HandleStopSignals(bool speaks) {
  speaking = speaks;
  for (size_t i = 0; i < std::size(kHandled); ++i) {
    struct sigaction before = {};
    sigaction(kHandled[i], nullptr, &before);
    handled[i] = before.sa_handler != SIG_IGN;
  }
  struct sigaction action = {};
  action.sa_handler = &Note;
  // Reads and writes that are under way go on. Nothing is held back: a second signal ends the process also where the
  // handler waits for a terminal that takes nothing.
  action.sa_flags = SA_RESTART | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < std::size(kHandled); ++i) {
    if (handled[i]) sigaction(kHandled[i], &action, nullptr);
  }
  return &stop;
}

}  // namespace anybit
