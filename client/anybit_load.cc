// anybit-load: sends a seeded open-loop load and tells how it was served.
#include <iostream>
#include <string>
#include <vector>

#include "client/load_command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return anybit::RunLoadCommand(arguments, std::cout, std::cerr);
}
