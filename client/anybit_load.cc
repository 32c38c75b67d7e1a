// anybit-load: sends a seeded open-loop load and tells how it was served.
#include <iostream>

#include "base/command_line.h"
#include "client/interruption.h"
#include "client/load_command.h"
#include "client/signal_watch.h"

int main(int argc, char** argv) {
  anybit::client::Interruption interruption;
  const anybit::client::SignalWatch watch(interruption);
  return anybit::client::RunLoadCommand(anybit::ArgumentsOf(argc, argv), interruption, std::cout, std::cerr);
}
