// Bodies that a client has compressed.
#ifndef ANYBIT_SERVER_HTTP_DECODE_BODY_H_
#define ANYBIT_SERVER_HTTP_DECODE_BODY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit::server {

// The body before its Content-Encoding: "gzip", "deflate" (zlib's format, RFC 9110 §8.4.1.2) or "identity".
// Unimplemented for another coding; InvalidArgument for bytes that are not of that coding; OutOfRange if the body has
// more than `max_bytes`, of which no more is decoded.
absl::StatusOr<std::string> DecodeBody(std::string body, absl::string_view encoding, uint64_t max_bytes);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_HTTP_DECODE_BODY_H_
