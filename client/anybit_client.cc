// anybit-client: classifies image files and shows a server's state.
#include <iostream>

#include "base/command_line.h"
#include "client/client_command.h"
#include "client/interruption.h"
#include "client/signal_watch.h"

int main(int argc, char** argv) {
  anybit::client::Interruption interruption;
  const anybit::client::SignalWatch watch(interruption);
  return anybit::client::RunClientCommand(anybit::ArgumentsOf(argc, argv), interruption, std::cout, std::cerr);
}
