// anybit-load: sends a seeded open-loop load and tells how it was served.
#include <iostream>
#include <string>
#include <vector>

#include "client/interruption.h"
#include "client/load_command.h"
#include "client/signal_watch.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  anybit::Interruption interruption;
  const anybit::SignalWatch watch(interruption);
  return anybit::RunLoadCommand(arguments, interruption, std::cout, std::cerr);
}
