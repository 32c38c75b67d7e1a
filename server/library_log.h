// The lines that gRPC and protobuf write of their own accord go to the server's log, as events "library".
//
// By default each library writes to standard error, in a format of its own and as often as clients give it cause.
#ifndef ANYBIT_SERVER_LIBRARY_LOG_H_
#define ANYBIT_SERVER_LIBRARY_LOG_H_

#include "server/event_log.h"

namespace anybit::server {

// One at a time in a process.
class LibraryLog {
 public:
  // `log` outlives this. Afterwards the libraries' lines are lost.
  explicit LibraryLog(EventLog& log);
  ~LibraryLog();
  LibraryLog(const LibraryLog&) = delete;
  LibraryLog& operator=(const LibraryLog&) = delete;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_LIBRARY_LOG_H_
