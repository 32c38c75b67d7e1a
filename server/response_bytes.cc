#include "server/response_bytes.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "proto/inference.pb.h"
#include "server/inference_payload.h"

namespace anybit::server {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;
using inference::InferParameter;
using inference::ModelInferResponse;

constexpr int kMapKey = 1, kMapValue = 2;  // of each entry of a map

// Appends fields to a message. Fields of a value that is the default are written nonetheless: they read alike.
class Wire {
 public:
  explicit Wire(std::string& bytes) : bytes_(bytes) {}

  void Varint(uint64_t value) {
    uint8_t buffer[10];
    const uint8_t* const end = CodedOutputStream::WriteVarint64ToArray(value, buffer);
    bytes_.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
  }
  void Text(int field, absl::string_view text) {
    Varint(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
    Varint(text.size());
    bytes_.append(text.data(), text.size());
  }

 private:
  std::string& bytes_;
};

// A parameter whose value is the message `value`.
void AppendParameter(absl::string_view name, absl::string_view value, std::string& bytes) {
  std::string entry;
  Wire wire(entry);
  wire.Text(kMapKey, name);
  wire.Text(kMapValue, value);
  Wire(bytes).Text(ModelInferResponse::kParametersFieldNumber, entry);
}

// One whose value is a number, in one piece: each response has six. All tags and sizes are of one byte.
template <size_t kNameAndNull>
void AppendNumber(const char (&name)[kNameAndNull], int field, int64_t value, std::string& bytes) {
  constexpr size_t kName = kNameAndNull - 1, kMostVarint = 10, kHeads = 6, kTag = 1;
  static_assert(kHeads + kName + kTag + kMostVarint < 128);
  const auto number = static_cast<uint64_t>(value);
  const size_t message = kTag + CodedOutputStream::VarintSize64(number);
  std::array<uint8_t, kHeads + kName + kTag + kMostVarint> entry;
  size_t at = 0;
  const auto head = [&](int of, size_t size) {
    entry[at++] = static_cast<uint8_t>(WireFormatLite::MakeTag(of, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
    entry[at++] = static_cast<uint8_t>(size);
  };
  head(ModelInferResponse::kParametersFieldNumber, 2 + kName + 2 + message);
  head(kMapKey, kName);
  std::memcpy(&entry[at], name, kName);
  at += kName;
  head(kMapValue, message);
  entry[at++] = static_cast<uint8_t>(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT));
  const uint8_t* const end = CodedOutputStream::WriteVarint64ToArray(number, &entry[at]);
  bytes.append(reinterpret_cast<const char*>(entry.data()), static_cast<size_t>(end - entry.data()));
}

void AppendParameters(const scheduler::Outcome& outcome, const model::OperatingPoint& point, std::string& bytes) {
  std::string name;
  Wire(name).Text(InferParameter::kStringParamFieldNumber, point.name);
  AppendParameter("operating_point", name, bytes);
  constexpr int kInt64 = InferParameter::kInt64ParamFieldNumber;
  AppendNumber("bits", kInt64, point.weight_bits, bytes);
  AppendNumber("expected_accuracy_bp", kInt64, ToBasisPoints(outcome.expected_accuracy), bytes);
  AppendNumber("queue_us", kInt64, ToMicros(outcome.queue_time), bytes);
  AppendNumber("compute_us", kInt64, ToMicros(outcome.compute_time), bytes);
  AppendNumber("batch_size", kInt64, outcome.batch_rows, bytes);
  AppendNumber("deadline_met", InferParameter::kBoolParamFieldNumber, outcome.deadline_met ? 1 : 0, bytes);
}

void AppendLogits(const std::vector<float>& logits, int rows, const model::TensorDescription& output,
                  std::string& bytes) {
  std::string shape, tensor;
  Wire dimensions(shape);
  dimensions.Varint(static_cast<uint64_t>(rows));
  for (const int64_t dimension : output.shape) dimensions.Varint(static_cast<uint64_t>(dimension));
  Wire wire(tensor);
  wire.Text(ModelInferResponse::InferOutputTensor::kNameFieldNumber, output.name);
  wire.Text(ModelInferResponse::InferOutputTensor::kDatatypeFieldNumber, "FP32");
  wire.Text(ModelInferResponse::InferOutputTensor::kShapeFieldNumber, shape);
  Wire response(bytes);
  response.Text(ModelInferResponse::kOutputsFieldNumber, tensor);
  response.Text(ModelInferResponse::kRawOutputContentsFieldNumber,
                absl::string_view(reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float)));
}

}  // namespace

std::string ResponseBytes(const scheduler::Outcome& outcome, const ResponseForm& form, const ServedModel& model) {
  if (form.top_classes != 0) return TranslateOutcome(outcome, form, model).SerializeAsString();
  const auto& logits = static_cast<const InferencePayload&>(*outcome.payload).output;
  std::string bytes;
  constexpr size_t kRoomBesideLogits = 512;
  bytes.reserve(kRoomBesideLogits + form.request_id.size() + logits.size() * sizeof(float));
  Wire wire(bytes);
  wire.Text(ModelInferResponse::kModelNameFieldNumber, model.network.name);
  wire.Text(ModelInferResponse::kModelVersionFieldNumber, absl::AlphaNum(model.network.version).Piece());
  wire.Text(ModelInferResponse::kIdFieldNumber, form.request_id);
  AppendParameters(outcome, model.network.points[ToIndex(outcome.point)], bytes);
  AppendLogits(logits, form.rows, model.network.output, bytes);
  return bytes;
}

}  // namespace anybit::server
