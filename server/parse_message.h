// A message of a method, from the bytes that gRPC has read.
#ifndef ANYBIT_SERVER_PARSE_MESSAGE_H_
#define ANYBIT_SERVER_PARSE_MESSAGE_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace anybit::server {

// InvalidArgument, naming the message, if the bytes are none. `bytes` are used up.
template <typename Message>
absl::Status ParseMessage(grpc::ByteBuffer& bytes, Message& message) {
  if (grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the message is not a ", Message::descriptor()->name(), ": it cannot be parsed"));
}

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PARSE_MESSAGE_H_
