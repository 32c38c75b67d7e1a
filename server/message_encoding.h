// Compressed messages of gRPC, unpacked up to a limit.
//
// gRPC's library unpacks a message without any limit: of 200 KB it makes 200 MB. So it is told to leave messages as
// they are. Which of them are compressed shows in their first bytes, with which no message of this protocol begins.
#ifndef ANYBIT_SERVER_MESSAGE_ENCODING_H_
#define ANYBIT_SERVER_MESSAGE_ENCODING_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>

#include "absl/status/status.h"

namespace anybit::server {

// Unpacks `bytes` where they are gzip or deflate; leaves them as they are otherwise. ResourceExhausted if there would
// be more than `max_bytes`, InvalidArgument if they begin like gzip and are none.
absl::Status UnpackMessage(grpc::ByteBuffer& bytes, uint64_t max_bytes);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_MESSAGE_ENCODING_H_
