// anybit-simulate: runs the production scheduler in virtual time and tells how it did.
#include <iostream>

#include "base/command_line.h"
#include "scheduler/sim/simulate_command.h"

int main(int argc, char** argv) {
  return anybit::scheduler::sim::RunSimulateCommand(anybit::ArgumentsOf(argc, argv), std::cout, std::cerr);
}
