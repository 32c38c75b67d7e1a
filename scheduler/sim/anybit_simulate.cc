// anybit-simulate: runs the production scheduler in virtual time and tells how it did.
#include <iostream>
#include <string>
#include <vector>

#include "scheduler/sim/simulate_command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return anybit::sim::RunSimulateCommand(arguments, std::cout, std::cerr);
}
