// The program anybit-client, without its process: arguments in, text out, an exit code back.
#ifndef ANYBIT_CLIENT_CLIENT_COMMAND_H_
#define ANYBIT_CLIENT_CLIENT_COMMAND_H_

#include <ostream>
#include <span>
#include <string>

#include "client/interruption.h"

namespace anybit::client {

// 0: answered; 1: the server refused, or a file is not acceptable; 2: the command line is wrong, and `err` has its
// form; 128 plus the signal's number: it was interrupted, and the answers until then are printed.
int RunClientCommand(std::span<const std::string> arguments, Interruption& interruption, std::ostream& out,
                     std::ostream& err);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_CLIENT_COMMAND_H_
