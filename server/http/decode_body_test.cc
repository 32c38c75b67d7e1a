#include "server/http/decode_body.h"

#include <zlib.h>

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace anybit::server {
namespace {

// `window`: 15 for zlib's format, 31 for gzip's.
std::string Compressed(const std::string& text, int window) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string bytes(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = bytes.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

constexpr int kZlib = 15, kGzip = 31;

TEST(DecodeBodyTest, ABodyWithoutACodingStaysAsItIs) {
  EXPECT_EQ(*DecodeBody("text", "", 4), "text");
  EXPECT_EQ(*DecodeBody("text", "identity", 4), "text");
}

TEST(DecodeBodyTest, GzipAndDeflateAreDecoded) {
  const std::string text(200'000, 'x');
  EXPECT_EQ(*DecodeBody(Compressed(text, kGzip), "gzip", text.size()), text);
  EXPECT_EQ(*DecodeBody(Compressed(text, kZlib), "Deflate", text.size()), text);
  EXPECT_EQ(*DecodeBody(Compressed("", kGzip), "gzip", 0), "");
}

TEST(DecodeBodyTest, ABodyThatGrowsBeyondItsLimitIsRefused) {
  const std::string bomb = Compressed(std::string(10'000'000, '\0'), kGzip);
  EXPECT_LT(bomb.size(), 20'000u);
  EXPECT_EQ(DecodeBody(bomb, "gzip", 1'000'000).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(DecodeBody(Compressed("12345", kGzip), "gzip", 4).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(DecodeBodyTest, BytesThatAreNotOfTheCodingAreRefused) {
  const std::string good = Compressed("a body", kGzip);
  for (const std::string& bad : {std::string(), std::string("no gzip"), good.substr(0, good.size() - 1), good + "x"}) {
    EXPECT_EQ(DecodeBody(bad, "gzip", 100).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(DecodeBodyTest, AnotherCodingIsRefused) {
  EXPECT_EQ(DecodeBody("text", "br", 100).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace anybit::server
