#include "server/http/decode_body.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace anybit::server {
namespace {

constexpr size_t kChunkBytes = 64 * 1024;
constexpr int kZlibOrGzip = 15 + 32;  // inflateInit2: the largest window, and the format by its header

absl::Status Invalid(absl::string_view encoding) {
  return absl::InvalidArgumentError(absl::StrCat("the body is not ", encoding, ", as its Content-Encoding says"));
}

}  // namespace

absl::StatusOr<std::string> DecodeBody(std::string body, absl::string_view encoding, uint64_t max_bytes) {
  if (encoding.empty() || absl::EqualsIgnoreCase(encoding, "identity")) return body;
  if (!absl::EqualsIgnoreCase(encoding, "gzip") && !absl::EqualsIgnoreCase(encoding, "deflate")) {
    return absl::UnimplementedError("the Content-Encoding must be gzip, deflate or identity");
  }
  if (body.size() > std::numeric_limits<uInt>::max()) return absl::OutOfRangeError("the body is larger than 4 GiB");
  z_stream stream{};
  if (inflateInit2(&stream, kZlibOrGzip) != Z_OK) return absl::ResourceExhaustedError("no memory to decode the body");
  const auto end = absl::MakeCleanup([&stream] { inflateEnd(&stream); });
  stream.next_in = reinterpret_cast<Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  std::string decoded;
  int result = Z_OK;
  while (result == Z_OK) {
    // One byte more than may be, to tell a body of the largest size from a larger one.
    const size_t room = std::min<uint64_t>(kChunkBytes, max_bytes + 1 - decoded.size());
    if (room == 0) return absl::OutOfRangeError(absl::StrCat("the decoded body has more than ", max_bytes, " bytes"));
    const size_t before = decoded.size();
    decoded.resize(before + room);
    stream.next_out = reinterpret_cast<Bytef*>(decoded.data() + before);
    stream.avail_out = static_cast<uInt>(room);
    result = inflate(&stream, Z_NO_FLUSH);
    decoded.resize(before + room - stream.avail_out);
  }
  if (result != Z_STREAM_END || stream.avail_in > 0) return Invalid(encoding);
  if (decoded.size() > max_bytes) {
    return absl::OutOfRangeError(absl::StrCat("the decoded body has more than ", max_bytes, " bytes"));
  }
  return decoded;
}

}  // namespace anybit::server
