// Gives gRPC what its connections get. Where there is one thread, it waits here and not in gRPC.
#ifndef ANYBIT_SERVER_CALL_SOURCE_H_
#define ANYBIT_SERVER_CALL_SOURCE_H_

#include "base/time.h"

namespace anybit::server {

class CallSource {
 public:
  virtual ~CallSource() = default;

  // Waits until there is something for gRPC to do, or Wake was called, but not longer than `at_most`. Returns for how
  // many of its sockets there may be news; gRPC looks at one each time that it is polled. One thread.
  virtual int Wait(Duration at_most) = 0;

  // gRPC may have written to one of its sockets, or has something to do. Ends the present or the next Wait. Any thread.
  virtual void Wake() = 0;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_CALL_SOURCE_H_
