#include "server/front/front_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <new>
#include <string>

#include "server/http/tls_contexts.h"

namespace anybit::server {
namespace {

// What a buffer of a connection without traffic may keep.
constexpr size_t kIdleBytes = 4 * 1024;

}  // namespace

void FrontConnection::ClientEvent(uint32_t events, MonoTime since) {
  if (!client_.may_read() && unread_.empty()) arrived_ = since;
  client_.OnEvent(events);
}

FrontConnection::Next FrontConnection::Turn(const FrontTurn& turn, std::span<char> buffer) {
  try {
    return is_broken_ ? Next::kEnd : TryTurn(turn, buffer);
  } catch (const std::bad_alloc&) {
    return Next::kEnd;
  }
}

FrontConnection::Next FrontConnection::TryTurn(const FrontTurn& turn, std::span<char> buffer) {
  used_grpc_ = false;
  if (grpc_.may_read() && responses_.output().size() < RequestStream::kMaxUnsent) {
    const absl::string_view bytes = grpc_.Read(buffer);
    responses_.Take(bytes);
    used_grpc_ = !bytes.empty();
  }
  if (!requests_.has_failed()) TakeRequests(turn, buffer);
  if (!requests_.output().empty() && grpc_.may_write()) {
    grpc_.Write(requests_.output());
    used_grpc_ = true;
  }
  if (client_.may_write()) client_.Write(responses_.output());

  if (client_.has_ended() || is_broken_) return Next::kEnd;
  // Behind a call that waits the end is not read. Nobody waits for its answer any more.
  if (client_.is_closing() && requests_.is_waiting()) return Next::kEnd;
  if (is_closing()) {
    const size_t unsent = grpc_.has_ended() ? responses_.output().size() : responses_.unsent();
    return unsent == 0 ? Next::kEnd : Next::kWait;
  }
  const bool may_answer = responses_.output().size() < RequestStream::kMaxUnsent;
  if (grpc_.may_read() && may_answer) return Next::kTurn;
  if (requests_.is_waiting()) return Next::kHeld;
  if (requests_.may_take() && (client_.may_read() || !unread_.empty())) return Next::kTurn;
  for (std::string* idle : {&unread_, &requests_.output(), &responses_.output()}) {
    if (idle->empty() && idle->capacity() > kIdleBytes) *idle = std::string();
  }
  return Next::kWait;
}

void FrontConnection::Deliver(std::span<char> buffer) {
  if (!responses_.output().empty() || !client_.may_write() || grpc_.has_ended()) return;
  try {
    responses_.Take(grpc_.Read(buffer));
  } catch (const std::bad_alloc&) {
    is_broken_ = true;
    shutdown(client_.descriptor(), SHUT_RDWR);  // an event, so that a turn ends the connection
  }
  client_.Write(responses_.output());
}

template <typename Step>
bool FrontConnection::Leaves(Step step) {
  try {
    step();
  } catch (const std::bad_alloc&) {
    is_broken_ = true;
  }
  return is_broken_ || (requests_.has_left() && !requests_.is_waiting());
}

bool FrontConnection::Leave() {
  return Leaves([this] { requests_.Leave(); });
}

bool FrontConnection::LeaveNow() {
  return Leaves([this] { requests_.LeaveNow(); });
}

void FrontConnection::TakeRequests(const FrontTurn& turn, std::span<char> buffer) {
  if (requests_.is_waiting() && !requests_.Resume(turn)) return;
  if (!requests_.may_take()) return;
  if (!unread_.empty()) {
    unread_.erase(0, requests_.Take(unread_, arrived_, turn));
    return;
  }
  if (!client_.may_read()) return;
  const absl::string_view bytes = client_.Read(buffer);
  if (!bytes.empty() && !AcceptTlsClient()) {
    is_broken_ = true;
    return;
  }
  const size_t taken = requests_.Take(bytes, arrived_, turn);
  if (taken < bytes.size()) unread_ = std::string(bytes.substr(taken));
}

// After the TLS handshake, once: takes the name in the client's certificate. False if the client did not choose HTTP/2
// by ALPN.
bool FrontConnection::AcceptTlsClient() {
  if (knows_tls_client_ || client_.tls() == nullptr) return true;
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(client_.tls(), &protocol, &size);
  if (size == 0) return false;
  requests_.SetClientName(ClientName(client_.tls()));
  knows_tls_client_ = true;
  return true;
}

}  // namespace anybit::server
