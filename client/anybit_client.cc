// anybit-client: classifies image files and shows a server's state.
#include <iostream>
#include <string>
#include <vector>

#include "client/client_command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return anybit::RunClientCommand(arguments, std::cout, std::cerr);
}
