#include "model/import/onnx_tensor.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/format/bfloat16.h"
#include "model/format/half.h"
#include "model/import/external_data.h"

namespace anybit::model {
namespace {

using onnx::TensorProto;

absl::Status Refused(const TensorProto& tensor, const std::string& reason) {
  return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name(), "': ", reason));
}

struct ElementKind {
  int64_t bytes = 0;
  bool integer = false;
};

// No bytes: a type that no network here needs.
ElementKind KindOf(int type) {
  switch (type) {
    case TensorProto::FLOAT: return {4, false};
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16: return {2, false};
    case TensorProto::DOUBLE: return {8, false};
    case TensorProto::INT64: return {8, true};
    case TensorProto::INT32: return {4, true};
    case TensorProto::INT8:
    case TensorProto::UINT8:
    case TensorProto::BOOL: return {1, true};
    default: return {};
  }
}

template <typename T>
T Element(const std::string& bytes, int64_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

float FloatElement(const std::string& bytes, int type, int64_t i) {
  switch (type) {
    case TensorProto::FLOAT: return Element<float>(bytes, i);
    case TensorProto::DOUBLE: return static_cast<float>(Element<double>(bytes, i));
    case TensorProto::FLOAT16: return FloatOfHalf(Element<uint16_t>(bytes, i));
    default: return WidenBfloat16(Element<uint16_t>(bytes, i));
  }
}

int64_t IntegerElement(const std::string& bytes, int type, int64_t i) {
  switch (type) {
    case TensorProto::INT64: return Element<int64_t>(bytes, i);
    case TensorProto::INT32: return Element<int32_t>(bytes, i);
    case TensorProto::INT8: return Element<int8_t>(bytes, i);
    default: return Element<uint8_t>(bytes, i);
  }
}

absl::Status FromBytes(const TensorProto& tensor, const std::string& bytes, int64_t count, Constant& constant) {
  const ElementKind kind = KindOf(tensor.data_type());
  if (static_cast<int64_t>(bytes.size()) != count * kind.bytes) {
    return Refused(tensor, absl::StrCat(bytes.size(), " bytes for ", count, " elements of ", kind.bytes, " bytes"));
  }
  for (int64_t i = 0; i < count; ++i) {
    if (kind.integer) constant.integers.push_back(IntegerElement(bytes, tensor.data_type(), i));
    if (!kind.integer) constant.floats.push_back(FloatElement(bytes, tensor.data_type(), i));
  }
  return absl::OkStatus();
}

// The values as the fields of their type, not as bytes. 16-bit floats are the bits of whole numbers.
absl::Status FromFields(const TensorProto& tensor, int64_t count, Constant& constant) {
  const auto check = [&](int64_t got) {
    if (got == count) return absl::OkStatus();
    return Refused(tensor, absl::StrCat(got, " values for ", count, " elements"));
  };
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      constant.floats.assign(tensor.float_data().begin(), tensor.float_data().end());
      return check(tensor.float_data_size());
    case TensorProto::DOUBLE:
      for (const double value : tensor.double_data()) constant.floats.push_back(static_cast<float>(value));
      return check(tensor.double_data_size());
    case TensorProto::INT64:
      constant.integers.assign(tensor.int64_data().begin(), tensor.int64_data().end());
      return check(tensor.int64_data_size());
    case TensorProto::FLOAT16:
      for (const int32_t bits : tensor.int32_data()) {
        constant.floats.push_back(FloatOfHalf(static_cast<uint16_t>(bits)));
      }
      return check(tensor.int32_data_size());
    case TensorProto::BFLOAT16:
      for (const int32_t bits : tensor.int32_data()) {
        constant.floats.push_back(WidenBfloat16(static_cast<uint16_t>(bits)));
      }
      return check(tensor.int32_data_size());
    default:
      constant.integers.assign(tensor.int32_data().begin(), tensor.int32_data().end());
      return check(tensor.int32_data_size());
  }
}

struct ExternalPlace {
  std::string location;
  int64_t offset = 0;
};

absl::StatusOr<ExternalPlace> PlaceOf(const TensorProto& tensor, int64_t bytes) {
  ExternalPlace place;
  for (const auto& entry : tensor.external_data()) {
    int64_t number = 0;
    if (entry.key() == "location") place.location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    if (!absl::SimpleAtoi(entry.value(), &number)) {
      return Refused(tensor, absl::StrCat("external ", entry.key(), " '", entry.value(), "' is not a whole number"));
    }
    if (entry.key() == "offset") place.offset = number;
    if (entry.key() == "length" && number != bytes) {
      return Refused(tensor, absl::StrCat("external data of ", number, " bytes, its shape has ", bytes));
    }
  }
  return place;
}

absl::StatusOr<int64_t> CountOf(const TensorProto& tensor) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t extent : tensor.dims()) {
    if (extent < 0) return Refused(tensor, absl::StrCat("dimension ", extent, " is below 0"));
    if (extent == 0) empty = true;
    if (extent > 0 && count > kMaxTensorElements / extent) {
      return Refused(tensor, absl::StrCat("more than ", kMaxTensorElements, " elements"));
    }
    if (extent > 0) count *= extent;
  }
  return empty ? 0 : count;
}

}  // namespace

absl::StatusOr<Constant> ReadTensor(const TensorProto& tensor, const std::string& folder) {
  const absl::StatusOr<int64_t> count = CountOf(tensor);
  if (!count.ok()) return count.status();
  const ElementKind kind = KindOf(tensor.data_type());
  if (kind.bytes == 0) {
    return Refused(tensor, absl::StrCat("elements of type ", tensor.data_type(),
                                        "; accepted: float, float16, bfloat16, double, int64, int32, int8, uint8, "
                                        "bool"));
  }
  if (tensor.has_segment()) return Refused(tensor, "one segment of several");
  Constant constant{.shape = {tensor.dims().begin(), tensor.dims().end()}, .integer = kind.integer};
  absl::Status status;
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    const absl::StatusOr<ExternalPlace> place = PlaceOf(tensor, *count * kind.bytes);
    if (!place.ok()) return place.status();
    const absl::StatusOr<std::string> bytes =
        ReadExternalData(folder, place->location, place->offset, *count * kind.bytes);
    if (!bytes.ok()) return Refused(tensor, std::string(bytes.status().message()));
    status = FromBytes(tensor, *bytes, *count, constant);
  } else if (tensor.has_raw_data()) {
    status = FromBytes(tensor, tensor.raw_data(), *count, constant);
  } else {
    status = FromFields(tensor, *count, constant);
  }
  if (!status.ok()) return status;
  return constant;
}

}  // namespace anybit::model
