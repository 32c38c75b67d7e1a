#include "server/connection_acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>

namespace anybit::server {

ConnectionAcceptor::ConnectionAcceptor(ListeningSockets sockets, Take take, Duration pause)
    : listeners_(sockets.Release()), take_(std::move(take)), pause_(pause), wake_(eventfd(0, EFD_CLOEXEC)) {}

ConnectionAcceptor::~ConnectionAcceptor() {
  Stop();
  close(wake_);
}

void ConnectionAcceptor::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ConnectionAcceptor::Stop() {
  if (std::exchange(is_stopped_, true)) return;
  const uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));
  if (thread_.joinable()) thread_.join();
  for (const ListeningSockets::Socket& listener : listeners_) close(listener.descriptor);
}

void ConnectionAcceptor::Run() {
  std::vector<pollfd> waited = {{.fd = wake_, .events = POLLIN, .revents = 0}};
  for (const auto& listener : listeners_) waited.push_back({.fd = listener.descriptor, .events = POLLIN, .revents = 0});
  const int pause_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(pause_).count());
  bool has_failed = false;
  while (true) {
    // After a failure only Stop is waited for.
    const int count = poll(waited.data(), has_failed ? 1 : waited.size(), has_failed ? pause_ms : -1);
    has_failed = false;
    if (count < 0) continue;  // a signal
    if (waited[0].revents != 0) return;
    for (size_t i = 1; count > 0 && i < waited.size(); ++i) {
      if (waited[i].revents != 0 && !AcceptOne(waited[i].fd)) has_failed = true;
      waited[i].revents = 0;
    }
  }
}

// False if there is no descriptor or memory for it. A client that has gone meanwhile is no failure.
bool ConnectionAcceptor::AcceptOne(int listener) {
  const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket < 0) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  take_(socket, listener);
  return true;
}

}  // namespace anybit::server
