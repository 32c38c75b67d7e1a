#include "model/format/safetensors.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::model {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied without a change of byte order");

constexpr uint64_t kMaxHeaderBytes = 64u << 20;  // several hundred thousand tensors
constexpr char kMetadataKey[] = "__metadata__";

struct NamedType {
  const char* name;
  ElementType type;
  int64_t bytes;
};
constexpr NamedType kTypes[] = {
    {"I8", ElementType::kInt8, 1},       {"I64", ElementType::kInt64, 8},   {"F16", ElementType::kFloat16, 2},
    {"BF16", ElementType::kBFloat16, 2}, {"F32", ElementType::kFloat32, 4}, {"F64", ElementType::kFloat64, 8},
    {"BOOL", ElementType::kOther, 1},    {"U8", ElementType::kOther, 1},    {"F8_E4M3", ElementType::kOther, 1},
    {"F8_E5M2", ElementType::kOther, 1}, {"I16", ElementType::kOther, 2},   {"U16", ElementType::kOther, 2},
    {"I32", ElementType::kOther, 4},     {"U32", ElementType::kOther, 4},   {"U64", ElementType::kOther, 8}};

template <typename... Parts>
absl::Status Broken(const Parts&... parts) {
  return absl::DataLossError(absl::StrCat(parts...));
}

// A JSON number that is an integer in 0..2^53, which doubles hold exactly.
absl::StatusOr<int64_t> ToCount(const google::protobuf::Value& value, absl::string_view what) {
  constexpr double kMaxExactInteger = 9007199254740992.0;
  const double number = value.number_value();
  if (value.kind_case() != google::protobuf::Value::kNumberValue || !(number >= 0) || number > kMaxExactInteger ||
      number != static_cast<double>(static_cast<int64_t>(number))) {
    return Broken(what, " is not a whole number of 0..2^53");
  }
  return static_cast<int64_t>(number);
}

// Of a tensor whose elements have `size` bytes.
absl::StatusOr<int64_t> ByteSize(absl::string_view name, const TensorView& tensor, int64_t size) {
  for (int64_t extent : tensor.shape) {
    if (extent != 0 && size > std::numeric_limits<int64_t>::max() / extent) {
      return Broken("tensor '", name, "' has a shape whose product overflows");
    }
    size *= extent;
  }
  return size;
}

struct Placed {
  TensorView view;
  int64_t begin = 0;
  int64_t end = 0;
};

absl::StatusOr<Placed> ParseTensor(const std::string& name, const google::protobuf::Value& value, int64_t data_size) {
  if (value.kind_case() != google::protobuf::Value::kStructValue) return Broken("tensor '", name, "' is not an object");
  const auto& fields = value.struct_value().fields();
  for (const auto& [key, unused] : fields) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      return Broken("tensor '", name, "' has an unknown field '", key, "'");
    }
  }
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!fields.contains(key)) return Broken("tensor '", name, "' has no ", key);
  }
  Placed placed;
  const std::string& type = fields.at("dtype").string_value();
  const auto* named =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const NamedType& t) { return type == t.name; });
  if (named == std::end(kTypes)) {
    return absl::UnimplementedError(
        absl::StrCat("tensor '", name, "' has dtype '", type, "', which safetensors does not have"));
  }
  placed.view.type = named->type;
  placed.view.type_name = named->name;
  for (const auto& extent : fields.at("shape").list_value().values()) {
    absl::StatusOr<int64_t> count = ToCount(extent, absl::StrCat("a dimension of tensor '", name, "'"));
    if (!count.ok()) return count.status();
    placed.view.shape.push_back(*count);
  }
  const auto& offsets = fields.at("data_offsets").list_value();
  if (offsets.values_size() != 2)
    return Broken("tensor '", name, "' has ", offsets.values_size(), " offsets, expected 2");
  const std::string what = absl::StrCat("an offset of tensor '", name, "'");
  absl::StatusOr<int64_t> begin = ToCount(offsets.values(0), what);
  if (!begin.ok()) return begin.status();
  absl::StatusOr<int64_t> end = ToCount(offsets.values(1), what);
  if (!end.ok()) return end.status();
  if (*begin > *end || *end > data_size) {
    return Broken("tensor '", name, "' lies at ", *begin, "..", *end, ", outside the ", data_size, " bytes of data");
  }
  absl::StatusOr<int64_t> size = ByteSize(name, placed.view, named->bytes);
  if (!size.ok()) return size.status();
  if (*size != *end - *begin) {
    return Broken("tensor '", name, "' of ", *size, " bytes has ", *end - *begin, " bytes of data");
  }
  placed.begin = *begin;
  placed.end = *end;
  return placed;
}

absl::Status CheckCoverage(std::vector<std::pair<int64_t, int64_t>> ranges, int64_t data_size) {
  std::sort(ranges.begin(), ranges.end());
  int64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != covered) return Broken("tensor data has a gap or an overlap at byte ", std::min(begin, covered));
    covered = end;
  }
  if (covered != data_size) return Broken(data_size - covered, " bytes of data belong to no tensor");
  return absl::OkStatus();
}

std::string JsonString(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", absl::string_view(&c, 1));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&out, "\\u", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad4));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

}  // namespace

absl::StatusOr<TensorFile> ParseSafetensors(absl::string_view text) {
  uint64_t header_size = 0;
  if (text.size() < sizeof(header_size))
    return Broken("file of ", text.size(), " bytes is shorter than its length field");
  std::memcpy(&header_size, text.data(), sizeof(header_size));
  text.remove_prefix(sizeof(header_size));
  if (header_size > kMaxHeaderBytes) return Broken("header of ", header_size, " bytes exceeds ", kMaxHeaderBytes);
  if (header_size > text.size())
    return Broken("header of ", header_size, " bytes in a file with ", text.size(), " left");
  google::protobuf::Struct header;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(text.substr(0, header_size)), &header);
  if (!parsed.ok()) return Broken("header is not a JSON object: ", parsed.ToString());

  TensorFile file;
  file.data = text.substr(header_size);
  const int64_t data_size = static_cast<int64_t>(file.data.size());
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const auto& [name, value] : header.fields()) {
    if (name == kMetadataKey) {
      for (const auto& [key, entry] : value.struct_value().fields()) {
        if (entry.kind_case() != google::protobuf::Value::kStringValue) {
          return Broken("metadata '", key, "' is not a string");
        }
        file.metadata[key] = entry.string_value();
      }
      continue;
    }
    absl::StatusOr<Placed> placed = ParseTensor(name, value, data_size);
    if (!placed.ok()) return placed.status();
    placed->view.bytes = file.data.substr(placed->begin, placed->end - placed->begin);
    ranges.emplace_back(placed->begin, placed->end);
    file.tensors[name] = std::move(placed->view);
  }
  if (absl::Status status = CheckCoverage(std::move(ranges), data_size); !status.ok()) return status;
  return file;
}

void SafetensorsWriter::AddInt8(const std::string& name, std::vector<int64_t> shape, std::span<const int8_t> values) {
  int8s_[name] = {"I8", std::move(shape), std::string(reinterpret_cast<const char*>(values.data()), values.size())};
}

void SafetensorsWriter::AddFloat(const std::string& name, std::vector<int64_t> shape, std::span<const float> values) {
  floats_[name] = {"F32", std::move(shape),
                   std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes())};
}

std::string SafetensorsWriter::Data() const {
  std::string data;
  for (const auto* tensors : {&floats_, &int8s_}) {
    for (const auto& [name, tensor] : *tensors) data += tensor.bytes;
  }
  return data;
}

std::string SafetensorsWriter::Finish() const {
  std::vector<std::string> entries;
  std::vector<std::string> metadata;
  for (const auto& [key, value] : metadata_) metadata.push_back(absl::StrCat(JsonString(key), ":", JsonString(value)));
  entries.push_back(absl::StrCat(JsonString(kMetadataKey), ":{", absl::StrJoin(metadata, ","), "}"));
  size_t offset = 0;
  for (const auto* tensors : {&floats_, &int8s_}) {
    for (const auto& [name, tensor] : *tensors) {
      const size_t end = offset + tensor.bytes.size();
      entries.push_back(absl::StrCat(JsonString(name), ":{\"dtype\":\"", tensor.type, "\",\"shape\":[",
                                     absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[", offset, ",", end, "]}"));
      offset = end;
    }
  }
  std::string header = absl::StrCat("{", absl::StrJoin(entries, ","), "}");
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t header_size = header.size();
  std::string text(reinterpret_cast<const char*>(&header_size), sizeof(header_size));
  return text + header + Data();
}

}  // namespace anybit::model
