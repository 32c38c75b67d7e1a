// Accepts connections for gRPC, on a thread of its own.
//
// gRPC's own listeners end for good when accepting fails once, for instance because the process has no descriptor left
// (CVE-2023-4785; Debian's 1.51). This one waits and accepts again. It listens on Unix sockets with permissions of
// their own, and on several addresses.
//
//   ConnectionAcceptor acceptor(std::move(sockets), [&](int socket, int listener) { ... });
//   acceptor.Start();    // once gRPC's server has started
//   ...
//   acceptor.Stop();     // before it ends
#ifndef ANYBIT_SERVER_CONNECTION_ACCEPTOR_H_
#define ANYBIT_SERVER_CONNECTION_ACCEPTOR_H_

#include <functional>
#include <thread>
#include <vector>

#include "base/listening_sockets.h"
#include "base/time.h"

namespace anybit::server {

class ConnectionAcceptor {
 public:
  // Gets each connection, which it closes, and the socket that it came from.
  using Take = std::function<void(int socket, int listener)>;

  // After a failure it waits for `pause`.
  ConnectionAcceptor(ListeningSockets sockets, Take take, Duration pause = std::chrono::milliseconds(100));
  // Stops.
  ~ConnectionAcceptor();
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  // Connections wait until then. Once.
  void Start();

  // Takes no connections any more, and frees the addresses. Blocks for one `take` at most. One thread.
  void Stop();

 private:
  void Run();
  bool AcceptOne(int listener);

  const std::vector<ListeningSockets::Socket> listeners_;
  const Take take_;
  const Duration pause_;
  const int wake_;  // an eventfd: Stop was called
  bool is_stopped_ = false;
  std::thread thread_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_CONNECTION_ACCEPTOR_H_
