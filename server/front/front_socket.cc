#include "server/front/front_socket.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>

namespace anybit::server {
namespace {

// ---- A socket as OpenSSL uses it. OpenSSL's own raises SIGPIPE where the peer is gone.

// Reads of the socket in one turn of a connection: two a record. OpenSSL reads on by itself as long as records bring no
// bytes for us, and each costs far more than a byte of a message does.
constexpr int kMaxReceives = 64;

intptr_t ReceivesLeft(BIO* bio) { return reinterpret_cast<intptr_t>(BIO_get_app_data(bio)); }
void SetReceivesLeft(BIO* bio, intptr_t left) { BIO_set_app_data(bio, reinterpret_cast<void*>(left)); }

int DescriptorOf(BIO* bio) { return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))); }

int Receive(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const intptr_t left = ReceivesLeft(bio);
  if (left == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  SetReceivesLeft(bio, left - 1);
  const ssize_t received = recv(DescriptorOf(bio), into, static_cast<size_t>(size), 0);
  if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(received);
}

int Send(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = send(DescriptorOf(bio), bytes, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* SocketMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket of the front");
    if (made == nullptr) return made;
    BIO_meth_set_read(made, Receive);
    BIO_meth_set_write(made, Send);
    BIO_meth_set_ctrl(made, Control);
    return made;
  }();
  return method;
}

int ClampedSize(size_t size) { return static_cast<int>(std::min<size_t>(size, INT_MAX)); }

}  // namespace

TlsConnection ServeTls(SSL_CTX& context, int descriptor) {
  TlsConnection connection(SSL_new(&context));
  BIO* const socket = SocketMethod() == nullptr ? nullptr : BIO_new(SocketMethod());
  if (connection == nullptr || socket == nullptr) {
    BIO_free(socket);
    return nullptr;
  }
  BIO_set_data(socket, reinterpret_cast<void*>(static_cast<intptr_t>(descriptor)));
  BIO_set_init(socket, 1);
  SSL_set_bio(connection.get(), socket, socket);
  // What could not be written is written later, from another place; idle connections keep no buffers.
  SSL_set_mode(connection.get(),
               SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_set_accept_state(connection.get());
  return connection;
}

FrontSocket::~FrontSocket() {
  if (tls_ != nullptr && !is_broken_ && SSL_is_init_finished(tls_.get())) {
    ERR_clear_error();
    (void)SSL_shutdown(tls_.get());  // what the socket does not take at once is not waited for
  }
  close(descriptor_);
}

void FrontSocket::OnEvent(uint32_t events) {
  may_read_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) is_closing_ = true;
  // In TLS a write may have waited for something to read.
  if (tls_ != nullptr || (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) may_write_ = true;
}

absl::string_view FrontSocket::Read(std::span<char> into) {
  if (tls_ != nullptr) return ReadTls(into);
  ssize_t size;
  do {
    size = recv(descriptor_, into.data(), into.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size > 0) {
    // A short read has emptied the socket, and the next bytes are an event. The end may have come with these.
    may_read_ = is_closing_ || static_cast<size_t>(size) == into.size();
    return {into.data(), static_cast<size_t>(size)};
  }
  may_read_ = false;
  has_ended_ = size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  return {};
}

// A record at a time, until none is left, as OpenSSL may hold one that is no event of the socket's, or until this turn
// has read enough.
absl::string_view FrontSocket::ReadTls(std::span<char> into) {
  size_t size = 0;
  SetReceivesLeft(SSL_get_rbio(tls_.get()), kMaxReceives);
  while (size < into.size()) {
    ERR_clear_error();
    const int read = SSL_read(tls_.get(), into.data() + size, ClampedSize(into.size() - size));
    if (read <= 0) {
      const bool goes_on = MayGoOn(read);
      has_ended_ = !goes_on && size == 0;
      const bool is_cut = goes_on && ReceivesLeft(SSL_get_rbio(tls_.get())) == 0;
      may_read_ = is_cut || (size > 0 && (is_closing_ || !goes_on));  // then the next read goes on, or finds the end
      break;
    }
    size += static_cast<size_t>(read);
  }
  return {into.data(), size};
}

void FrontSocket::Write(std::string& bytes) { bytes.erase(0, tls_ != nullptr ? WriteTls(bytes) : WritePlain(bytes)); }

size_t FrontSocket::WritePlain(absl::string_view bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t size = send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size >= 0) {
      sent += static_cast<size_t>(size);
    } else if (errno != EINTR) {
      may_write_ = false;
      if (errno != EAGAIN && errno != EWOULDBLOCK) has_ended_ = true;
      break;
    }
  }
  return sent;
}

size_t FrontSocket::WriteTls(absl::string_view bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    ERR_clear_error();
    const int size = SSL_write(tls_.get(), bytes.data() + sent, ClampedSize(bytes.size() - sent));
    if (size <= 0) {
      may_write_ = false;
      if (!MayGoOn(size)) has_ended_ = true;
      break;
    }
    sent += static_cast<size_t>(size);
  }
  return sent;
}

// After a read or write that did nothing: whether it waits for the socket.
bool FrontSocket::MayGoOn(int result) {
  const int error = SSL_get_error(tls_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
  is_broken_ = is_broken_ || error != SSL_ERROR_ZERO_RETURN;
  return false;
}

}  // namespace anybit::server
