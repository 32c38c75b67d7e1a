// How messages call a signal.
#ifndef ANYBIT_BASE_SIGNAL_NAME_H_
#define ANYBIT_BASE_SIGNAL_NAME_H_

#include <string>

namespace anybit {

// "SIGTERM" of SIGTERM; "signal N" of a number that has no name.
std::string SignalName(int signal);

}  // namespace anybit

#endif  // ANYBIT_BASE_SIGNAL_NAME_H_
