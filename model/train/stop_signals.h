// SIGTERM, SIGINT and SIGHUP, from a scheduler, Ctrl-C or a lost terminal, as a request to end soon.
#ifndef ANYBIT_MODEL_TRAIN_STOP_SIGNALS_H_
#define ANYBIT_MODEL_TRAIN_STOP_SIGNALS_H_

#include <atomic>

namespace anybit::model::train {

// Installs the handlers. The first signal is stored in the returned number, which is 0 before; a second signal ends the
// process at once. Ignored signals (nohup) stay ignored. `speaks`: the first signal prints a line on standard error.
// Called once per process.
std::atomic<int>* HandleStopSignals(bool speaks);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_STOP_SIGNALS_H_
