// The program anybit-simulate, without its process: arguments in, text out, an exit code back.
#ifndef ANYBIT_SCHEDULER_SIM_SIMULATE_COMMAND_H_
#define ANYBIT_SCHEDULER_SIM_SIMULATE_COMMAND_H_

#include <ostream>
#include <span>
#include <string>

namespace anybit::scheduler::sim {

// 0: it ran; 1: a result could not be written; 2: the command line or an input file is wrong. One line on `err` says
// what.
int RunSimulateCommand(std::span<const std::string> arguments, std::ostream& out, std::ostream& err);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_SIMULATE_COMMAND_H_
