// The program anybit-load, without its process: arguments in, text out, an exit code back.
#ifndef ANYBIT_CLIENT_LOAD_COMMAND_H_
#define ANYBIT_CLIENT_LOAD_COMMAND_H_

#include <ostream>
#include <span>
#include <string>

#include "client/interruption.h"

namespace anybit::client {

// 0: the load ran to its end, however it was served; 1: the server refused, or a file is not acceptable; 2: the command
// line is wrong; 128 plus the signal's number: it was interrupted, and the calls that had ended are reported.
int RunLoadCommand(std::span<const std::string> arguments, Interruption& interruption, std::ostream& out,
                   std::ostream& err);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_COMMAND_H_
