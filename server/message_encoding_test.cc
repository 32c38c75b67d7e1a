#include "server/message_encoding.h"

#include <grpcpp/grpcpp.h>
#include <zlib.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

constexpr int kGzip = 15 + 16, kDeflate = 15;  // deflateInit2

std::string Packed(const std::string& text, int format) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

grpc::ByteBuffer Bytes(const std::string& text, size_t piece = 1000) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < text.size(); at += piece) slices.emplace_back(text.substr(at, piece));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string Text(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(bytes.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

TEST(UnpackMessageTest, BothEncodingsAreUnpackedHoweverTheyAreCut) {
  const std::string text = "\x0a\x04sums" + std::string(100, 'a');
  for (const int format : {kGzip, kDeflate}) {
    for (const size_t piece : {1, 2, 1000}) {
      grpc::ByteBuffer bytes = Bytes(Packed(text, format), piece);
      EXPECT_TRUE(UnpackMessage(bytes, 1000).ok());
      EXPECT_EQ(Text(bytes), text);
    }
  }
}

TEST(UnpackMessageTest, OtherMessagesStayAsTheyAre) {
  for (const std::string& text : {std::string(""), std::string("\x1f"), std::string("\x0a\x04sums"),
                                  std::string("\x78\x9cno deflate"), std::string("\x78\x01")}) {
    grpc::ByteBuffer bytes = Bytes(text);
    EXPECT_TRUE(UnpackMessage(bytes, 10).ok());
    EXPECT_EQ(Text(bytes), text);
  }
}

TEST(UnpackMessageTest, TheLimitCountsWhatIsUnpacked) {
  const std::string text(1'000'000, 'a');
  grpc::ByteBuffer fits = Bytes(Packed(text, kGzip)), does_not = Bytes(Packed(text, kGzip));
  EXPECT_TRUE(UnpackMessage(fits, text.size()).ok());
  EXPECT_EQ(UnpackMessage(does_not, text.size() - 1).code(), absl::StatusCode::kResourceExhausted);
}

TEST(UnpackMessageTest, BytesThatOnlyBeginLikeGzipAreInvalid) {
  grpc::ByteBuffer bytes = Bytes("\x1f\x8b, and no more of it");
  EXPECT_EQ(UnpackMessage(bytes, 1000).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace anybit::server
