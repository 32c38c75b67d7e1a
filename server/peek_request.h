// What decides early whether a request is refused: the message without its tensors, which are not copied.
#ifndef ANYBIT_SERVER_PEEK_REQUEST_H_
#define ANYBIT_SERVER_PEEK_REQUEST_H_

#include <grpcpp/support/byte_buffer.h>

#include <optional>

#include "proto/inference.pb.h"

namespace anybit::server {

// The request with its names, parameters and shapes, without contents. None if that is not found quickly: in bytes that
// may be no message, or with large parameters. `bytes` stay as they are.
std::optional<inference::ModelInferRequest> PeekRequest(grpc::ByteBuffer& bytes);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PEEK_REQUEST_H_
