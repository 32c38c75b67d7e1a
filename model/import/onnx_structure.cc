#include "model/import/onnx_structure.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Numbers of fields in onnx.proto.
constexpr int kGraphOfModel = 7, kInitializerOfGraph = 5, kRawDataOfTensor = 9, kFloatsOfTensor = 4;

// The bytes of the message that `stream` is limited to, without those of the fields that `inner` counts by itself.
// `inner(field, length)` returns the bytes to count of one field of `length` bytes, having read as far as it likes.
// Damage ends the count: the parser then says so.
template <typename Inner>
int64_t CountFields(CodedInputStream& stream, const Inner& inner) {
  int64_t counted = 0;
  for (uint32_t tag = stream.ReadTag(); tag != 0; tag = stream.ReadTag()) {
    const int before = stream.CurrentPosition();
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&stream, tag)) return counted;
      counted += 1 + stream.CurrentPosition() - before;
      continue;
    }
    int length = 0;
    if (!stream.ReadVarintSizeAsInt(&length)) return counted;
    const CodedInputStream::Limit limit = stream.PushLimit(length);
    counted += 2 + inner(WireFormatLite::GetTagFieldNumber(tag), length);
    if (!stream.Skip(stream.BytesUntilLimit())) return counted;
    stream.PopLimit(limit);
  }
  return counted;
}

}  // namespace

absl::Status CheckOnnxStructure(absl::string_view text) {
  if (text.size() > INT32_MAX) {
    return absl::InvalidArgumentError(absl::StrCat("file of ", text.size(), " bytes exceeds ", INT32_MAX));
  }
  CodedInputStream stream(reinterpret_cast<const uint8_t*>(text.data()), static_cast<int>(text.size()));
  const auto of_tensor = [](int field, int length) -> int64_t {
    return field == kRawDataOfTensor || field == kFloatsOfTensor ? 0 : length;
  };
  const auto of_graph = [&](int field, int length) {
    return field == kInitializerOfGraph ? CountFields(stream, of_tensor) : length;
  };
  const int64_t bytes = CountFields(
      stream, [&](int field, int length) { return field == kGraphOfModel ? CountFields(stream, of_graph) : length; });
  if (bytes <= kMaxStructureBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the graph without the values of its initializers has ", bytes,
                                                 " bytes, the limit is ", kMaxStructureBytes));
}

}  // namespace anybit::model
