// SIGTERM, SIGINT and SIGHUP as a wish to end soon: what a scheduler, Ctrl-C and a lost terminal send.
#ifndef ANYBIT_MODEL_TRAIN_STOP_SIGNALS_H_
#define ANYBIT_MODEL_TRAIN_STOP_SIGNALS_H_

#include <atomic>

namespace anybit {

// From now on the first of these signals is stored in the number that is returned, 0 before, and a second one ends the
// process at once. Signals that are ignored, as by nohup, stay ignored. `speaks`: the first is answered on standard
// error. Called once in a process.
std::atomic<int>* HandleStopSignals(bool speaks);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_STOP_SIGNALS_H_
