#include "server/peek_request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_buffer_reader.h>

#include <string>

namespace anybit::server {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using inference::ModelInferRequest;

// Of a field that is looked at, and of all of them. An input with more has its tensor in it.
constexpr uint32_t kMaxFieldBytes = 4 * 1024;
constexpr size_t kMaxBytes = 16 * 1024;

void AppendVarint(uint32_t value, std::string& bytes) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
}

}  // namespace

std::optional<ModelInferRequest> PeekRequest(grpc::ByteBuffer& bytes) {
  grpc::ProtoBufferReader reader(&bytes);
  if (!reader.status().ok()) return std::nullopt;
  CodedInputStream in(&reader);
  std::string head;
  while (const uint32_t tag = in.ReadTag()) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) return std::nullopt;
    uint32_t size = 0;
    if (!in.ReadVarint32(&size)) return std::nullopt;
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    const bool is_tensor = field == ModelInferRequest::kRawInputContentsFieldNumber ||
                           (field == ModelInferRequest::kInputsFieldNumber && size > kMaxFieldBytes);
    if (is_tensor) {
      if (!in.Skip(static_cast<int>(size))) return std::nullopt;
      continue;
    }
    if (size > kMaxFieldBytes || head.size() > kMaxBytes) return std::nullopt;
    AppendVarint(tag, head);
    AppendVarint(size, head);
    std::string value;
    if (!in.ReadString(&value, static_cast<int>(size))) return std::nullopt;
    head += value;
  }
  ModelInferRequest request;
  if (!in.ConsumedEntireMessage() || !request.ParseFromString(head)) return std::nullopt;
  return request;
}

}  // namespace anybit::server
