// anybit-client: classifies image files and shows a server's state.
#include <iostream>
#include <string>
#include <vector>

#include "client/client_command.h"
#include "client/interruption.h"
#include "client/signal_watch.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  anybit::Interruption interruption;
  const anybit::SignalWatch watch(interruption);
  return anybit::RunClientCommand(arguments, interruption, std::cout, std::cerr);
}
