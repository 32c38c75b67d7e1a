// One client's connection: its TCP socket, gRPC's end of it, and what is under way between the two.
#ifndef ANYBIT_SERVER_FRONT_FRONT_CONNECTION_H_
#define ANYBIT_SERVER_FRONT_FRONT_CONNECTION_H_

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/time.h"
#include "server/front/call_limit.h"
#include "server/front/front_socket.h"
#include "server/front/request_stream.h"
#include "server/front/response_stream.h"

namespace anybit::server {

class FrontConnection {
 public:
  enum class Next {
    kWait,  // for an event
    kTurn,  // another turn at once
    kHeld,  // in line with other connections whose next call waits
    kEnd,
  };

  // The client has sent nothing before `since`. Null `tls`: it speaks in the clear.
  FrontConnection(int client, TlsConnection tls, int grpc, MonoTime since, const FrontRules& rules, CallLimit& limit)
      : client_(client, std::move(tls)),
        grpc_(grpc),
        responses_(limit),
        requests_(rules, responses_),
        arrived_(since) {}

  const FrontSocket& client() const { return client_; }
  const FrontSocket& grpc() const { return grpc_; }

  // The client's socket has something to read, or not before `since`.
  void ClientEvent(uint32_t events, MonoTime since);
  void GrpcEvent(uint32_t events) { grpc_.OnEvent(events); }

  // Moves bytes both ways, at most one buffer each. A connection that there is no memory for ends.
  Next Turn(const FrontTurn& turn, std::span<char> buffer);

  // Sends what gRPC has written, if the sockets allow it at once. Between turns.
  void Deliver(std::span<char> buffer);

  size_t open_calls() const { return responses_.open_calls(); }

  // See RequestStream; true: it has left, and no call of it waits. A connection that there is no memory for ends.
  bool Leave();
  bool LeaveNow();

  // Whether gRPC's socket was used in the last turn, so that gRPC may have something to do.
  bool used_grpc() const { return used_grpc_; }

  bool has_begun() const { return requests_.has_begun(); }
  // What is missing is only that the client takes the rest.
  bool is_closing() const { return grpc_.has_ended() || requests_.has_failed(); }

 private:
  template <typename Step>
  bool Leaves(Step step);
  Next TryTurn(const FrontTurn& turn, std::span<char> buffer);
  void TakeRequests(const FrontTurn& turn, std::span<char> buffer);
  bool AcceptTlsClient();

  FrontSocket client_, grpc_;
  ResponseStream responses_;
  RequestStream requests_;
  std::string unread_;  // the client's, behind a call that waits
  MonoTime arrived_;    // the client's bytes in unread_ and in its socket, at the earliest
  bool used_grpc_ = false;
  bool is_broken_ = false;         // bytes were lost for lack of memory, or the client did not choose HTTP/2 by ALPN
  bool knows_tls_client_ = false;  // AcceptTlsClient has succeeded
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_FRONT_CONNECTION_H_
