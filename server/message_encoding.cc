#include "server/message_encoding.h"

#include <grpcpp/impl/codegen/proto_buffer_reader.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/http/decode_body.h"

namespace anybit::server {
namespace {

enum class Encoding { kNone, kGzip, kDeflate };

// By the magic number of gzip (RFC 1952), or a header of zlib with its check (RFC 1950). In protobuf the former would
// be a field of a kind that there is not, the latter field 15, which no request has.
Encoding EncodingOf(uint8_t first, uint8_t second) {
  if (first == 0x1f && second == 0x8b) return Encoding::kGzip;
  if (first == 0x78 && (first * 256 + second) % 31 == 0) return Encoding::kDeflate;
  return Encoding::kNone;
}

std::string Text(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!bytes.Dump(&slices).ok()) return text;
  text.reserve(bytes.Length());
  for (const grpc::Slice& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

Encoding EncodingOf(grpc::ByteBuffer& bytes) {
  grpc::ProtoBufferReader reader(&bytes);
  const void* data = nullptr;
  int size = 0;
  if (!reader.status().ok() || !reader.Next(&data, &size) || size == 0) return Encoding::kNone;
  const uint8_t first = *static_cast<const uint8_t*>(data);
  if (size > 1) return EncodingOf(first, static_cast<const uint8_t*>(data)[1]);
  const bool has_second = reader.Next(&data, &size) && size > 0;
  return has_second ? EncodingOf(first, *static_cast<const uint8_t*>(data)) : Encoding::kNone;
}

}  // namespace

absl::Status UnpackMessage(grpc::ByteBuffer& bytes, uint64_t max_bytes) {
  const Encoding encoding = EncodingOf(bytes);
  if (encoding == Encoding::kNone) return absl::OkStatus();
  absl::StatusOr<std::string> text =
      DecodeBody(Text(bytes), encoding == Encoding::kGzip ? "gzip" : "deflate", max_bytes);
  if (text.ok()) {
    const grpc::Slice slice(*text);
    bytes = grpc::ByteBuffer(&slice, 1);
    return absl::OkStatus();
  }
  if (absl::IsOutOfRange(text.status())) {
    return absl::ResourceExhaustedError(absl::StrCat("the message has more than ", max_bytes, " bytes when unpacked"));
  }
  if (encoding == Encoding::kDeflate) return absl::OkStatus();  // the parser has the last word
  return absl::InvalidArgumentError("the message begins like gzip and is none");
}

}  // namespace anybit::server
